import { type BucketRefusal, BucketRefused } from '../bucket/bucket-refusal.ts';
import {
  type BucketSettings,
  type BucketTags,
  type PublicAccessBlock,
  wholeBlock,
} from '../bucket/bucket-settings.ts';
import { ownerOf } from './bucket-conditions.ts';
import type { BucketPlan, BucketStep, FoundBucket, WantedBucket } from './bucket-plan.ts';
import { coveringRule, withCleanup } from './lifecycle-rules.ts';

/** The outcome of one step; `refused` by S3, or not made because an earlier one was. */
export interface StepOutcome {
  readonly step: BucketStep;
  readonly refused?: BucketRefusal;
}

/** Reads all that a plan is made from. Changes nothing, and never throws. */
export async function foundBucket(bucket: BucketSettings): Promise<FoundBucket> {
  const [exists, tags, encryption, publicAccessBlock, lifecycle] = await Promise.all([
    bucket.exists(),
    bucket.tags(),
    bucket.encryption(),
    bucket.publicAccessBlock(),
    bucket.lifecycle(),
  ]);
  return { exists, tags, encryption, publicAccessBlock, lifecycle };
}

/**
 * Makes the steps of a plan for a bucket that is ours, or that it creates. A refused setting does
 * not keep from the others; a refused creation does, and a bucket of another: another process may
 * create the same one at the same time, and S3 may then say that ours was created.
 */
export async function* madeSteps(
  bucket: BucketSettings,
  plan: BucketPlan,
  wanted: WantedBucket,
): AsyncGenerator<StepOutcome> {
  if (plan.owner !== 'ours' && plan.owner !== 'none') return;
  for (const step of plan.steps) {
    const outcome = await made(bucket, step, wanted);
    yield outcome;
    if (outcome.refused !== undefined && (step.kind === 'create' || outcome.refused.code === foreign)) return;
  }
}

const foreign = 'UserSupplied';
/** Codes of servers that know no tags at all. */
const noTags: ReadonlySet<string> = new Set(['NotImplemented', 'MethodNotAllowed']);

async function made(bucket: BucketSettings, step: BucketStep, wanted: WantedBucket): Promise<StepOutcome> {
  try {
    await change(bucket, step, wanted);
    return { step };
  } catch (error) {
    if (!(error instanceof BucketRefused)) throw error;
    return { step, refused: { code: error.code, message: error.message } };
  }
}

async function change(bucket: BucketSettings, step: BucketStep, wanted: WantedBucket): Promise<void> {
  switch (step.kind) {
    case 'create':
      await bucket.create();
      await ownTags(bucket, wanted);
      return;
    case 'tag':
      return bucket.putTags({ ...(await ownTags(bucket, wanted)), ...step.added });
    case 'block-public-access':
      return blocked(bucket, step.before);
    case 'encrypt':
      return bucket.putEncryption(step.encryption);
    case 'clean-up':
      return cleanedUp(bucket, wanted);
  }
}

/**
 * The tags as they are now: a write replaces all of them. Throws `BucketRefused` where they are
 * another's, and where they cannot be told.
 */
async function ownTags(bucket: BucketSettings, { identity }: WantedBucket): Promise<BucketTags> {
  const found = await bucket.tags();
  if (found.kind === 'unknown' && !noTags.has(found.code)) throw new BucketRefused(found);
  const held = found.kind === 'is' ? found.value : {};
  if (found.kind === 'is' && Object.keys(held).length > 0 && ownerOf(found, identity) !== 'ours')
    throw new BucketRefused({ code: foreign, message: 'it has the tags of another by now' });
  return held;
}

/** Adds our rule to those that are there now: a write replaces all of them. */
async function cleanedUp(bucket: BucketSettings, { prefix, cleanupDays }: WantedBucket): Promise<void> {
  const found = await bucket.lifecycle();
  if (found.kind === 'unknown') throw new BucketRefused(found);
  const rules = found.kind === 'is' ? found.value : {};
  if (coveringRule(rules, prefix) === undefined)
    await bucket.putLifecycle(withCleanup(rules, prefix, cleanupDays));
}

/**
 * Blocks public access, and takes that back where the server then refuses every write, as radosgw
 * 16 does. Throws `BucketRefused`.
 */
async function blocked(bucket: BucketSettings, before: PublicAccessBlock | undefined): Promise<void> {
  const isWritable = async (): Promise<boolean> => (await bucket.conditionalWrites()).kind === 'is';
  const wasWritable = await isWritable();
  await bucket.putPublicAccessBlock(wholeBlock);
  if (!wasWritable || (await isWritable())) return;
  await bucket.putPublicAccessBlock(before);
  const message = 'with it this server refuses every write, so that it was taken back';
  throw new BucketRefused({ code: 'WritesRefused', message });
}
