import { backoffMs } from '../../base/time/backoff.ts';
import { sleep } from '../../base/time/wait.ts';

interface MissWaitOptions {
  /** All in all, milliseconds. */
  readonly waitMs: number;
  /** Before the first question, milliseconds; each pause after that is longer. */
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly failed?: (error: unknown) => void;
}

/** Many may wait for a distant copy: 500 ms before the first check, ten checks in a minute. */
const longerBy = 1.5;

/** Polls until there is an answer; undefined at the time limit, a failure, or an abort. */
export async function answerInTime<Value>(
  ask: () => Promise<Value | undefined>,
  { waitMs, pollMs, signal, failed }: MissWaitOptions,
): Promise<Value | undefined> {
  const endsAt = performance.now() + waitMs;
  try {
    for (let asked = 0; performance.now() < endsAt; asked += 1) {
      const pauseMs = backoffMs(asked, { firstMs: pollMs, factor: longerBy });
      await sleep(Math.min(pauseMs, endsAt - performance.now()), signal);
      const answer = await ask();
      if (answer !== undefined) return answer;
    }
  } catch (error) {
    if (!signal.aborted) failed?.(error);
    return undefined;
  }
  return undefined;
}
