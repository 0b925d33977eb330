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
import { isTakenAgain, type WriteProbing, writeVerdict } from './write-verdict.ts';

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
  probing: WriteProbing = {},
): AsyncGenerator<StepOutcome> {
  if (plan.owner !== 'ours' && plan.owner !== 'none') return;
  for (const step of plan.steps) {
    const outcome = await made(bucket, step, { wanted, probing });
    yield outcome;
    if (outcome.refused !== undefined && (step.kind === 'create' || outcome.refused.code === foreign)) return;
  }
}

const foreign = 'UserSupplied';
/** Codes of servers that know no tags at all. */
const noTags: ReadonlySet<string> = new Set(['NotImplemented', 'MethodNotAllowed']);

interface Making {
  readonly wanted: WantedBucket;
  readonly probing: WriteProbing;
}

async function made(bucket: BucketSettings, step: BucketStep, making: Making): Promise<StepOutcome> {
  try {
    await change(bucket, step, making);
    return { step };
  } catch (error) {
    if (!(error instanceof BucketRefused)) throw error;
    return { step, refused: { code: error.code, message: error.message } };
  }
}

async function change(bucket: BucketSettings, step: BucketStep, { wanted, probing }: Making): Promise<void> {
  switch (step.kind) {
    case 'create':
      await bucket.create();
      await ownTags(bucket, wanted);
      return;
    case 'tag':
      return bucket.putTags({ ...(await ownTags(bucket, wanted)), ...step.added });
    case 'block-public-access':
      return blocked(bucket, step.before, probing);
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

/** Gateways behind one address may each notice the block at another time. */
const inARow = 5;

/**
 * Blocks public access, and takes that back unless the server then takes five writes in a row:
 * radosgw 16 refuses every write. Changes nothing where the server does not say whether it takes
 * any before. Throws `BucketRefused`.
 */
async function blocked(
  bucket: BucketSettings,
  held: PublicAccessBlock | undefined,
  probing: WriteProbing,
): Promise<void> {
  const before = await writeVerdict(bucket, 1, probing);
  if (before === 'untold')
    throw new BucketRefused({ code: untold, message: 'it does not answer a test write' });
  await bucket.putPublicAccessBlock(wholeBlock);
  // Credentials that may write no object cannot show what the block does.
  if (before === 'refused') return;
  const after = await writeVerdict(bucket, inARow, probing);
  if (after === 'taken') return;
  const fault =
    after === 'refused' ? 'this server refuses every write' : 'this server does not answer a test write';
  await takenBack(bucket, held, `with it ${fault}`);
  const again = (await isTakenAgain(bucket, probing)) ? '' : '; it takes none yet';
  const message = `with it ${fault}, so that it was taken back${again}`;
  throw new BucketRefused({ code: after === 'refused' ? 'WritesRefused' : untold, message });
}

const untold = 'WritesUntold';

async function takenBack(
  bucket: BucketSettings,
  held: PublicAccessBlock | undefined,
  fault: string,
): Promise<void> {
  try {
    await bucket.putPublicAccessBlock(held);
  } catch (error) {
    if (!(error instanceof BucketRefused)) throw error;
    const message = `${fault}, and it cannot be taken back: ${error.code}: ${error.message}; do that by hand`;
    throw new BucketRefused({ code: 'NotTakenBack', message });
  }
}
