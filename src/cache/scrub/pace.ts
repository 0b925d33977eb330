import { hasSlept } from '../../base/time/wait.ts';
import type { Bytes } from '../../oci/content.ts';

interface PaceOptions {
  readonly bytesPerSecond: number;
  /** How many others read now: the pace is shared with them, down to a tenth. */
  readonly others: () => number;
  readonly signal: AbortSignal;
}

/** A speed that is not exceeded, however many bodies are read one after the other. */
interface ScrubPace {
  /** The same body, no faster than the pace. Throws the signal's reason. */
  paced(bytes: Bytes): AsyncGenerator<Uint8Array, void, undefined>;
  /** Waits as long as so many bytes take. Throws the signal's reason. */
  spend(bytes: number): Promise<void>;
}

const mostOthers = 9;
/** Shorter pauses are summed up: a timer costs more than the read of a small blob. */
const leastPauseMs = 10;

/** The pace of one reader in the background. */
export function createScrubPace({ bytesPerSecond, others, signal }: PaceOptions): ScrubPace {
  let owedMs = 0;

  async function spend(bytes: number): Promise<void> {
    const sharers = 1 + Math.min(others(), mostOthers);
    owedMs += (bytes * 1000 * sharers) / bytesPerSecond;
    if (owedMs >= leastPauseMs) {
      const since = performance.now();
      await hasSlept(owedMs, signal);
      owedMs -= performance.now() - since;
    }
    signal.throwIfAborted();
  }

  return {
    spend,
    async *paced(bytes) {
      for await (const chunk of bytes) {
        yield chunk;
        await spend(chunk.byteLength);
      }
    },
  };
}
