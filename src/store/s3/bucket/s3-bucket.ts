// Room `store/s3/bucket`: calls to S3, with breaker and credentials. In: keys and bytes. Out:
// answers, or typed failures. Imports: base, oci, store; types of upstream, upstream/download.

import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type ByteRange, collected } from '../../../oci/content.ts';
import type { ResponseBody } from '../../../upstream/exchange.ts';
import { BorrowedBody } from './borrowed-bodies.ts';
import type { CallOptions, S3Calls } from './s3-client.ts';
import { isOfWrongClock, timeOfS3 } from './signing-time.ts';

/** An object as opened. Read `body` to its end or destroy it, or it holds its socket for ever. */
interface OpenedObject {
  readonly body: ResponseBody;
  /** Bytes of the whole object. */
  readonly size: number;
  readonly etag: string;
  /** Which version of a versioned bucket it is. */
  readonly versionId: string | undefined;
}

interface ObjectEntry {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly writtenAt: number;
}

interface PutOptions extends CallOptions {
  readonly contentType?: string;
  /** Only if there is no such object (`absent`), or if it still has this ETag. */
  readonly ifVersion?: string;
}

export interface SignedUrl {
  readonly url: string;
  /** How long it works: no longer than the credentials that signed it. */
  readonly validMs: number;
  /** False once our clock, which signed it, turned out to be wrong. */
  readonly isInTime: () => boolean;
}

/** Objects by key, whatever the store's prefix; throws as S3Calls says. */
export interface Bucket {
  /** The size in bytes; undefined when there is no such object. */
  head(key: string, options?: CallOptions): Promise<number | undefined>;
  get(key: string, options?: CallOptions & { readonly range?: ByteRange }): Promise<OpenedObject | undefined>;
  /** The new ETag; undefined when the condition did not hold. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<string | undefined>;
  /** Absent is not an error. Of a versioned bucket that version alone, where one is given. */
  delete(key: string, options?: CallOptions & { readonly versionId?: string }): Promise<void>;
  /** In the order of the keys, beginning behind `after`. */
  list(prefix: string, options?: CallOptions & { readonly after?: string }): AsyncIterable<ObjectEntry>;
  /** A URL for a plain GET, made without a call. */
  signedUrl(key: string, expiresSeconds: number): Promise<SignedUrl>;
}

export function createS3Bucket({ client, bucket, prefix, call, held }: S3Calls): Bucket {
  const at = (key: string) => ({ Bucket: bucket, Key: `${prefix}${key}` });

  async function get(key: string, options: CallOptions & { readonly range?: ByteRange } = {}) {
    const range = options.range && { Range: `bytes=${options.range.start}-${options.range.end}` };
    const command = new GetObjectCommand({ ...at(key), ...range });
    const answer = await call('GetObject', (sending) => client.send(command, sending), options);
    if (answer.kind !== 'ok') return undefined;
    const opened = openedObject(answer.value);
    held(opened.body);
    return opened;
  }

  function put(key: string, bytes: Uint8Array, { contentType, ifVersion, signal }: PutOptions) {
    const command = new PutObjectCommand({
      ...at(key),
      Body: bytes,
      ContentLength: bytes.byteLength,
      ...(contentType === undefined ? {} : { ContentType: contentType }),
      ...(ifVersion === undefined ? {} : conditionOf(ifVersion)),
    });
    return call('PutObject', (sending) => client.send(command, sending), {
      sentBytes: bytes.byteLength,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /**
   * Checks a refusal again: after a retry it may be due to our first attempt, whose answer was
   * lost, as the content shows. And radosgw refuses a true `If-Match` if it is quoted (RFC 9110).
   */
  async function afterRefusal(key: string, bytes: Uint8Array, options: PutOptions, attempts: number) {
    const found = await get(key, options);
    if (found === undefined) return undefined;
    const held = Buffer.from(await collected(found.body, found.size));
    if (attempts > 1 && held.equals(bytes)) return found.etag;
    if (found.etag !== options.ifVersion) return undefined;
    const answer = await put(key, bytes, { ...options, ifVersion: found.etag.replaceAll('"', '') });
    return answer.kind === 'ok' ? answer.value.ETag : undefined;
  }

  return {
    get,
    async head(key, options) {
      const command = new HeadObjectCommand(at(key));
      const answer = await call('HeadObject', (sending) => client.send(command, sending), options);
      return answer.kind === 'ok' ? (answer.value.ContentLength ?? 0) : undefined;
    },
    async put(key, bytes, options = {}) {
      const answer = await put(key, bytes, options);
      if (answer.kind === 'ok') return answer.value.ETag ?? '';
      const isClear = options.ifVersion === 'absent' && answer.attempts === 1;
      return isClear ? undefined : await afterRefusal(key, bytes, options, answer.attempts);
    },
    async delete(key, { versionId, ...options } = {}) {
      const version = versionId === undefined ? {} : { VersionId: versionId };
      const command = new DeleteObjectCommand({ ...at(key), ...version });
      await call('DeleteObject', (sending) => client.send(command, sending), options);
    },
    async *list(below, { after, ...options } = {}) {
      let from: { ContinuationToken?: string; StartAfter?: string } | undefined =
        after === undefined ? {} : { StartAfter: `${prefix}${after}` };
      while (from !== undefined) {
        const where = { Bucket: bucket, Prefix: `${prefix}${below}`, ...from };
        const command: ListObjectsV2Command = new ListObjectsV2Command(where);
        const answer = await call('ListObjectsV2', (sending) => client.send(command, sending), options);
        if (answer.kind !== 'ok') return;
        for (const { Key = '', Size = 0, LastModified } of answer.value.Contents ?? []) {
          yield { key: Key.slice(prefix.length), size: Size, writtenAt: LastModified?.getTime() ?? 0 };
        }
        const next = answer.value.NextContinuationToken;
        from = next === undefined ? undefined : { ContinuationToken: next };
      }
    },
    async signedUrl(key, expiresIn) {
      const { expiration } = await client.config.credentials();
      const { systemClockOffset } = client.config;
      const terms = { expiresIn, signingDate: timeOfS3(client) };
      const url = await getSignedUrl(client, new GetObjectCommand(at(key)), terms);
      const leftMs = expiration === undefined ? Number.POSITIVE_INFINITY : expiration.getTime() - Date.now();
      const isInTime = (): boolean => !isOfWrongClock(client, systemClockOffset);
      return { url, validMs: Math.min(expiresIn * 1000, leftMs), isInTime };
    },
  };
}

function conditionOf(ifVersion: string) {
  return ifVersion === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: ifVersion };
}

function openedObject(output: {
  Body?: unknown;
  ContentLength?: number | undefined;
  ContentRange?: string | undefined;
  ETag?: string | undefined;
  VersionId?: string | undefined;
}): OpenedObject {
  const { Body, ContentLength = 0, ContentRange, ETag = '', VersionId: versionId } = output;
  const total = /\/(\d+)$/.exec(ContentRange ?? '')?.[1];
  return {
    body: bodyOf(Body),
    size: total === undefined ? ContentLength : Number(total),
    etag: ETag,
    versionId,
  };
}

function bodyOf(body: unknown): ResponseBody {
  if (body instanceof BorrowedBody) return body.borrowed;
  return body instanceof Readable ? body : Readable.from([]);
}
