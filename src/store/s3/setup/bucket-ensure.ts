import { type BucketRefusal, BucketRefused } from '../bucket/bucket-refusal.ts';
import { type BucketSettings, type PublicAccessBlock, wholeBlock } from '../bucket/bucket-settings.ts';
import { ownerOf } from './bucket-conditions.ts';
import type { BucketPlan, BucketStep, FoundBucket, WantedBucket } from './bucket-plan.ts';

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
 * not keep from the others; a refused creation does. Another process may create the same bucket at
 * the same time, and S3 may then say that ours was created: one with tags of others is left alone.
 */
export async function* madeSteps(
  bucket: BucketSettings,
  { owner, steps }: BucketPlan,
  { identity }: WantedBucket,
): AsyncGenerator<StepOutcome> {
  if (owner !== 'ours' && owner !== 'none') return;
  for (const step of steps) {
    const outcome = await made(bucket, step, identity);
    yield outcome;
    if (step.kind === 'create' && outcome.refused !== undefined) return;
  }
}

async function made(bucket: BucketSettings, step: BucketStep, identity: string): Promise<StepOutcome> {
  try {
    await change(bucket, step);
    if (step.kind !== 'create') return { step };
    const tags = await bucket.tags();
    const isForeign = tags.kind === 'is' && Object.keys(tags.value).length > 0;
    if (!isForeign || ownerOf(tags, identity) === 'ours') return { step };
    return { step, refused: { code: 'UserSupplied', message: 'another process created it meanwhile' } };
  } catch (error) {
    if (!(error instanceof BucketRefused)) throw error;
    return { step, refused: { code: error.code, message: error.message } };
  }
}

function change(bucket: BucketSettings, step: BucketStep): Promise<void> {
  switch (step.kind) {
    case 'create':
      return bucket.create();
    case 'tag':
      return bucket.putTags(step.tags);
    case 'block-public-access':
      return blocked(bucket, step.before);
    case 'encrypt':
      return bucket.putEncryption(step.encryption);
    case 'clean-up':
      return bucket.putLifecycle(step.lifecycle);
  }
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
