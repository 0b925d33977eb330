import { sleep } from '../../../base/time/wait.ts';
import { isAnswered } from '../bucket/bucket-refusal.ts';
import type { BucketAnswer, BucketSettings } from '../bucket/bucket-settings.ts';

/** Whether S3 takes writes: it does, it refuses them, or it does not say. */
type WriteVerdict = 'taken' | 'refused' | 'untold';

export interface WriteProbing {
  /** The pause between two probes, milliseconds. Default 250. */
  readonly pauseMs?: number;
}

type Probed = Pick<BucketSettings, 'conditionalWrites'>;

/** A new server makes its pools at the first write, and gateways read settings a little later. */
const mostProbes = 12;

/**
 * Writes small objects until S3 has taken `inARow` of them, one after the other, or has refused
 * one. A time-out, an answer of the network and a 5xx are no verdict: it asks again, 12 times.
 */
export async function writeVerdict(
  bucket: Probed,
  inARow: number,
  { pauseMs = 250 }: WriteProbing,
): Promise<WriteVerdict> {
  let taken = 0;
  for (let probe = 0; probe < mostProbes; probe += 1) {
    if (probe > 0) await sleep(pauseMs);
    const answer = await bucket.conditionalWrites();
    if (isRefused(answer)) return 'refused';
    taken = answer.kind === 'is' ? taken + 1 : 0;
    if (taken === inARow) return 'taken';
  }
  return 'untold';
}

/** Waits until S3 takes a write, whatever it refuses before; false after 12 in vain. */
export async function isTakenAgain(bucket: Probed, { pauseMs = 250 }: WriteProbing): Promise<boolean> {
  for (let probe = 0; probe < mostProbes; probe += 1) {
    if (probe > 0) await sleep(pauseMs);
    if ((await bucket.conditionalWrites()).kind === 'is') return true;
  }
  return false;
}

function isRefused(answer: BucketAnswer<boolean>): boolean {
  if (answer.kind === 'is' || !isAnswered(answer.code)) return false;
  const { status } = answer;
  return status !== undefined && status < 500 && status !== 429;
}
