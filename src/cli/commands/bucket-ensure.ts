import { storePlace } from '../../app/store-check.ts';
import { defined } from '../../base/text/defined.ts';
import type { Config } from '../../config/load.ts';
import { type BucketSettings, createBucketSettings } from '../../store/s3/bucket/bucket-settings.ts';
import { createBucketCheck } from '../../store/s3/setup/bucket-check.ts';
import { type BucketFinding, bucketConditionTypes } from '../../store/s3/setup/bucket-conditions.ts';
import { foundBucket, madeSteps, type StepOutcome } from '../../store/s3/setup/bucket-ensure.ts';
import {
  type BucketPlan,
  bucketPlan,
  stepText,
  type WantedBucket,
} from '../../store/s3/setup/bucket-plan.ts';
import { refuseWords, UsageError } from '../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../flags/flag-table.ts';
import { type Output, type Run, writeJson } from '../flags/io.ts';
import { bucketEnsureFlags } from '../pages/store.ts';
import { configFile } from '../serve/config-file.ts';

type Flags = FlagValues<typeof bucketEnsureFlags>;

type S3Settings = Extract<Config['store'], { readonly s3: unknown }>['s3'];

/** `quayside bucket ensure`: see its help. */
export const bucketEnsure: Run = async (args, io) => {
  const { values, words } = parseFlags(bucketEnsureFlags, args);
  refuseWords(words);
  if (values.config === undefined) throw new UsageError('needs --config FILE');
  const { store } = await configFile(values.config, io);
  if (!('s3' in store)) throw new UsageError('the store of --config is no bucket: it has no store.s3');
  const wanted = wantedBucket(values, store.s3);
  const bucket = createBucketSettings({ ...clientOptions(values, store.s3), isPatient: true });
  try {
    return await ensured(bucket, wanted, {
      place: storePlace(store),
      io,
      isConfirmed: values.confirm === true,
      asJson: values.output === 'json',
    });
  } finally {
    bucket.close();
  }
};

interface Ensuring {
  readonly place: string;
  readonly io: { readonly stdout: Output };
  readonly isConfirmed: boolean;
  readonly asJson: boolean;
}

async function ensured(
  bucket: BucketSettings,
  wanted: WantedBucket,
  { place, io, isConfirmed, asJson }: Ensuring,
): Promise<number> {
  const plan = bucketPlan(await foundBucket(bucket), wanted);
  const outcomes: StepOutcome[] = [];
  let conditions: readonly BucketCondition[] = [];
  const say = (line: string) => asJson || io.stdout.write(`${line}\n`);
  for (const line of planLines(plan, place)) say(line);
  const isOurs = plan.owner === 'ours' || plan.owner === 'none';
  const isWanted = isOurs && plan.steps.length > 0;
  if (isWanted && !isConfirmed) say('nothing was changed; --confirm makes these changes');
  if (isWanted && isConfirmed) {
    for await (const outcome of madeSteps(bucket, plan, wanted)) {
      say(outcomeLine(outcome));
      outcomes.push(outcome);
    }
    conditions = await conditionsOf(bucket, wanted, place);
    for (const line of conditions.map(conditionLine)) say(line);
  }
  if (asJson) writeJson(io.stdout, documentOf(place, plan, outcomes, conditions));
  return plan.owner === 'unknown' || outcomes.some(isFailure) ? 1 : 0;
}

function documentOf(
  bucket: string,
  { owner, steps, untold }: BucketPlan,
  outcomes: readonly StepOutcome[],
  conditions: readonly BucketCondition[],
) {
  const changes = outcomes.map((outcome) => ({
    change: stepText(outcome.step),
    isDone: outcome.refused === undefined,
    isFailure: isFailure(outcome),
    refused: outcome.refused && `${outcome.refused.code}: ${outcome.refused.message}`,
  }));
  return { bucket, owner, untold, plan: steps.map(stepText), changes, conditions };
}

function planLines({ owner, steps, untold }: BucketPlan, place: string): readonly string[] {
  const orders = steps.map((step) => `  ${stepText(step)}`);
  const silence = untold.map((text) => `cannot tell ${text}`);
  switch (owner) {
    case 'none':
      return [`${place} does not exist; plan:`, ...orders];
    case 'ours':
      return [
        ...silence,
        ...(steps.length === 0 ? [`${place} lacks nothing`] : [`${place} is ours; plan:`, ...orders]),
      ];
    case 'unknown':
      return [...silence, `cannot tell whose ${place} is, so nothing is changed`];
    case 'user supplied':
      return [
        ...silence,
        `${place} is user supplied: it lacks the tag of a bucket that this command created, so nothing is changed`,
        ...(orders.length === 0 ? [] : ['in a bucket of ours it would:', ...orders]),
      ];
  }
}

const notOffered: ReadonlySet<string> = new Set(['NotImplemented', 'MethodNotAllowed', 'WritesRefused']);

/** radosgw knows no encryption by keys of its own, and calls AES256 an invalid argument. */
function isOffered({ step, refused }: StepOutcome): boolean {
  if (refused === undefined) return true;
  return !notOffered.has(refused.code) && !(step.kind === 'encrypt' && refused.code === 'InvalidArgument');
}

function isFailure(outcome: StepOutcome): boolean {
  return outcome.refused !== undefined && isOffered(outcome);
}

function outcomeLine(outcome: StepOutcome): string {
  const { step, refused } = outcome;
  if (refused === undefined) return `done: ${stepText(step)}`;
  const verdict = isOffered(outcome) ? 'failed' : 'not offered by this server';
  const next = step.kind === 'tag' ? '; without these tags the bucket counts as user supplied: set them' : '';
  return `${verdict}: ${stepText(step)}: ${refused.code}: ${refused.message}${next}`;
}

interface BucketCondition extends BucketFinding {
  readonly type: string;
}

async function conditionsOf(
  bucket: BucketSettings,
  { identity, prefix }: WantedBucket,
  place: string,
): Promise<readonly BucketCondition[]> {
  const check = createBucketCheck(bucket, { place, identity, prefix });
  const settings = await check.settings();
  const found = [...(await check.presence()), ...settings];
  return found.flatMap((finding, index) => {
    const type = bucketConditionTypes[index];
    return type === undefined ? [] : [{ type, ...finding }];
  });
}

const typeWidth = Math.max(...bucketConditionTypes.map((type) => type.length));

function conditionLine({ type, status, reason, message }: BucketCondition): string {
  return `${type.padEnd(typeWidth)}  ${status.padEnd(7)}  ${reason}: ${message}`;
}

function wantedBucket(values: Flags, { identity, prefix }: S3Settings): WantedBucket {
  const kmsKey = values['kms-key'];
  return {
    identity,
    tags: tagsIn(values.tag),
    encryption: kmsKey === undefined ? { algorithm: 'AES256' } : { algorithm: 'aws:kms', kmsKey },
    prefix: prefix === undefined ? '' : `${prefix}/`,
    cleanupDays: daysIn(values['cleanup-days']),
  };
}

function tagsIn(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new UsageError(`--tag needs KEY=VALUE, not ${text}`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

function daysIn(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError('--cleanup-days needs a number of days, 1 at least');
}

/** Those of the settings, but for the credentials: the service has no right to do this. */
function clientOptions(values: Flags, { bucket, region, endpoint, pathStyle, prefix }: S3Settings) {
  const own = {
    accessKeyIdFile: values['access-key-id-file'],
    secretAccessKeyFile: values['secret-access-key-file'],
    sessionTokenFile: values['session-token-file'],
  };
  const isPair = (own.accessKeyIdFile === undefined) === (own.secretAccessKeyFile === undefined);
  if (!isPair || (own.sessionTokenFile !== undefined && own.accessKeyIdFile === undefined))
    throw new UsageError('--access-key-id-file and --secret-access-key-file belong together');
  return { bucket, region, pathStyle, ...defined({ endpoint, prefix, ...own }) };
}
