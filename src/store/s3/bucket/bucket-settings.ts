import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  DeletePublicAccessBlockCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  type GetBucketLifecycleConfigurationCommandOutput,
  GetBucketTaggingCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { defined } from '../../../base/text/defined.ts';
import { field, isText } from '../../../base/text/json.ts';
import { probeKey } from '../../keys.ts';
import {
  type BucketRefusal,
  BucketRefused,
  isAnswered,
  isNone,
  refusalOf,
  statusOf,
} from './bucket-refusal.ts';
import { S3Breaker } from './s3-breaker.ts';
import { createS3Calls, type S3ClientOptions } from './s3-client.ts';

/** What S3 says to a question: it is so, there is none, or S3 does not say. */
export type BucketAnswer<Value> =
  | { readonly kind: 'is'; readonly value: Value }
  | (BucketRefusal & { readonly kind: 'none' | 'unknown' });

export type BucketTags = Readonly<Record<string, string>>;

/** Rules of a lifecycle as S3 has them; those that we do not know are kept as they are. */
export type LifecycleSettings = Pick<
  GetBucketLifecycleConfigurationCommandOutput,
  'Rules' | 'TransitionDefaultMinimumObjectSize'
>;

export type LifecycleRule = NonNullable<LifecycleSettings['Rules']>[number];

export interface EncryptionSettings {
  readonly algorithm: 'AES256' | 'aws:kms' | 'aws:kms:dsse' | (string & {});
  readonly kmsKey?: string;
}

/** Which ways to public access are blocked. */
export type PublicAccessBlock = {
  readonly [Name in (typeof blocks)[number]]: boolean;
};

/** One bucket and its settings. A `get` never throws; a `put` throws `BucketRefused`. */
export interface BucketSettings {
  /** `none`: there is no such bucket. */
  exists(): Promise<BucketAnswer<true>>;
  tags(): Promise<BucketAnswer<BucketTags>>;
  encryption(): Promise<BucketAnswer<EncryptionSettings>>;
  publicAccessBlock(): Promise<BucketAnswer<PublicAccessBlock>>;
  lifecycle(): Promise<BucketAnswer<LifecycleSettings>>;
  /** Whether S3 refuses to write over an object on condition. Writes and deletes a small one. */
  conditionalWrites(): Promise<BucketAnswer<boolean>>;
  /** How far S3's clock is ahead of ours by its last answer, ms; undefined before the first. */
  readonly skewMs: number | undefined;
  create(): Promise<void>;
  /** Replaces all tags. */
  putTags(tags: BucketTags): Promise<void>;
  putEncryption(settings: EncryptionSettings): Promise<void>;
  /** Undefined removes it. */
  putPublicAccessBlock(block: PublicAccessBlock | undefined): Promise<void>;
  /** Replaces all rules. */
  putLifecycle(settings: LifecycleSettings): Promise<void>;
  close(): void;
}

interface BucketSettingsOptions extends S3ClientOptions {
  /** For a command, which may wait: 15 s for an answer, and a new connection for each call. */
  readonly isPatient?: boolean;
}

/** Longest wait for an answer, milliseconds. */
const answerMs = { usual: 3_000, patient: 15_000 };

/** Asks through connections of its own, once each: those of the store may all hang. */
export function createBucketSettings({
  isPatient = false,
  ...options
}: BucketSettingsOptions): BucketSettings {
  const alone = new S3Breaker({ probe: async () => false, failures: Number.POSITIVE_INFINITY });
  const longestMs = isPatient ? answerMs.patient : answerMs.usual;
  const patience = isPatient ? { keepsConnections: false, firstByteTimeoutMs: 2 * longestMs } : {};
  const calls = createS3Calls({ ...options, ...patience, maxSockets: 2, retries: 0 }, alone);
  const { client, bucket: Bucket, prefix } = calls;
  let skew: number | undefined;
  notedDates(client, (ms) => {
    skew = ms;
  });

  async function sent<T>(operation: string, send: (limit: AnswerLimit) => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const report = (outcome: 'ok' | 'absent' | 'error'): void =>
      options.events?.called?.({ operation, outcome, seconds: (performance.now() - startedAt) / 1000 });
    try {
      const value = await send({ abortSignal: AbortSignal.timeout(longestMs) });
      report('ok');
      return value;
    } catch (error) {
      report(statusOf(error) === 404 ? 'absent' : 'error');
      throw error;
    }
  }

  async function asked<T, Value>(
    operation: string,
    send: (limit: AnswerLimit) => Promise<T>,
    read: (output: T) => Value,
  ): Promise<BucketAnswer<Value>> {
    try {
      return { kind: 'is', value: read(await sent(operation, send)) };
    } catch (error) {
      const refusal = refusalOf(error);
      return { kind: isNone(statusOf(error), refusal.code) ? 'none' : 'unknown', ...refusal };
    }
  }

  const changed = (operation: string, send: (limit: AnswerLimit) => Promise<unknown>): Promise<void> =>
    sent(operation, send).then(
      () => undefined,
      (error: unknown) => {
        throw new BucketRefused(refusalOf(error));
      },
    );

  return {
    get skewMs() {
      return skew;
    },
    async exists() {
      const head = new HeadBucketCommand({ Bucket });
      const found = await asked(
        'HeadBucket',
        (limit) => client.send(head, limit),
        () => true as const,
      );
      if (found.kind === 'is' || !isAnswered(found.code)) return found;
      // A HEAD has no body, and so no code.
      const list = new ListObjectsV2Command({ Bucket, MaxKeys: 1, Prefix: prefix });
      const listed = await asked(
        'ListObjectsV2',
        (limit) => client.send(list, limit),
        () => true as const,
      );
      return listed.kind === 'unknown' && listed.code === 'NoSuchBucket'
        ? { ...listed, kind: 'none' }
        : listed;
    },
    tags: () =>
      asked(
        'GetBucketTagging',
        (limit) => client.send(new GetBucketTaggingCommand({ Bucket }), limit),
        ({ TagSet = [] }) => Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value])),
      ),
    encryption: () =>
      asked(
        'GetBucketEncryption',
        (limit) => client.send(new GetBucketEncryptionCommand({ Bucket }), limit),
        ({ ServerSideEncryptionConfiguration: found }) => {
          const { SSEAlgorithm: algorithm = '', KMSMasterKeyID: kmsKey } =
            found?.Rules?.[0]?.ApplyServerSideEncryptionByDefault ?? {};
          return { algorithm, ...defined({ kmsKey }) };
        },
      ),
    publicAccessBlock: () =>
      asked(
        'GetPublicAccessBlock',
        (limit) => client.send(new GetPublicAccessBlockCommand({ Bucket }), limit),
        ({ PublicAccessBlockConfiguration: found = {} }) => blockOf((name) => found[name] === true),
      ),
    lifecycle: () =>
      asked(
        'GetBucketLifecycleConfiguration',
        (limit) => client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }), limit),
        ({ Rules = [], TransitionDefaultMinimumObjectSize }) => ({
          Rules,
          ...defined({ TransitionDefaultMinimumObjectSize }),
        }),
      ),
    async conditionalWrites() {
      const Key = `${prefix}${probeKey(`${hostname()}-${randomUUID()}`)}`;
      const put = new PutObjectCommand({ Bucket, Key, Body: Buffer.from('1'), IfNoneMatch: '*' });
      const write = () =>
        asked(
          'PutObject',
          (limit) => client.send(put, limit),
          ({ VersionId }) => VersionId,
        );
      const remove = (version: object = {}) => {
        const command = new DeleteObjectCommand({ Bucket, Key, ...version });
        return asked(
          'DeleteObject',
          (limit) => client.send(command, limit),
          () => true as const,
        );
      };
      const first = await write();
      if (first.kind !== 'is') return { ...first, kind: 'unknown' };
      const second = await write();
      for (const { value: VersionId } of [first, ...(second.kind === 'is' ? [second] : [])]) {
        const isGone = VersionId !== undefined && (await remove({ VersionId })).kind === 'is';
        if (!isGone) await remove();
      }
      if (second.kind === 'is') return { kind: 'is', value: false };
      const isRefused = second.code === 'PreconditionFailed';
      return isRefused ? { kind: 'is', value: true } : { ...second, kind: 'unknown' };
    },
    create: () => changed('CreateBucket', (limit) => client.send(new CreateBucketCommand({ Bucket }), limit)),
    putTags(tags) {
      const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
      const command = new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } });
      return changed('PutBucketTagging', (limit) => client.send(command, limit));
    },
    putEncryption({ algorithm, kmsKey }) {
      const byDefault = {
        SSEAlgorithm: algorithm === 'AES256' ? ('AES256' as const) : ('aws:kms' as const),
        ...(kmsKey === undefined ? {} : { KMSMasterKeyID: kmsKey }),
      };
      const rule = { ApplyServerSideEncryptionByDefault: byDefault, BucketKeyEnabled: true };
      const ServerSideEncryptionConfiguration = { Rules: [rule] };
      const command = new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration });
      return changed('PutBucketEncryption', (limit) => client.send(command, limit));
    },
    putPublicAccessBlock(block) {
      if (block === undefined) {
        const remove = new DeletePublicAccessBlockCommand({ Bucket });
        return changed('DeletePublicAccessBlock', (limit) => client.send(remove, limit));
      }
      const command = new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration: block });
      return changed('PutPublicAccessBlock', (limit) => client.send(command, limit));
    },
    putLifecycle({ Rules = [], TransitionDefaultMinimumObjectSize }) {
      const command = new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: { Rules },
        ...defined({ TransitionDefaultMinimumObjectSize }),
      });
      return changed('PutBucketLifecycleConfiguration', (limit) => client.send(command, limit));
    },
    close: () => client.destroy(),
  };
}

interface AnswerLimit {
  readonly abortSignal: AbortSignal;
}

const blocks = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const;

function blockOf(isBlocked: (name: (typeof blocks)[number]) => boolean): PublicAccessBlock {
  const [acls, ignored, policy, restricted] = blocks;
  return {
    [acls]: isBlocked(acls),
    [ignored]: isBlocked(ignored),
    [policy]: isBlocked(policy),
    [restricted]: isBlocked(restricted),
  };
}

/** All four. */
export const wholeBlock: PublicAccessBlock = blockOf(() => true);

/** Whether nothing is left open. */
export function isWholeBlock(block: PublicAccessBlock): boolean {
  return blocks.every((name) => block[name]);
}

/** Reads the `Date` of each answer, also of a refusal, before the SDK parses its body. */
function notedDates(client: S3Client, noted: (skewMs: number) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const date: unknown = field(field(result.response, 'headers'), 'date');
      const at = isText(date) ? Date.parse(date) : Number.NaN;
      if (Number.isFinite(at)) noted(at - Date.now());
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'notedDates' },
  );
}
