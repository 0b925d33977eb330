import { createLru } from '../../base/state/lru.ts';
import { steadied } from '../../base/time/steady.ts';

interface MissQuestionsOptions {
  /** How long "not at the sources either" is believed, milliseconds. */
  readonly absentMs: number;
  /** For how long what a source had is asked for without a limit, milliseconds. */
  readonly knownMs: number;
  /** Images that are remembered as absent, and as known. */
  readonly maxEntries: number;
  /** Questions put to sources, all together; one second's worth may come at once. */
  readonly perSecond: number;
  /** Milliseconds; may be set back meanwhile. */
  readonly now: () => number;
}

/** Protects the sources from a flood of unknown tags and digests. */
export interface MissQuestions {
  /** Where it was not found recently, as `answeredNo` was told; else undefined. */
  absence(key: string): string | undefined;
  /** Whether a source may be asked for it now; counts as asked. Always for what a source had. */
  mayAsk(key: string): boolean;
  /** A source has it: guesses of others must not hide it. */
  answeredYes(key: string): void;
  /** No source has it. */
  answeredNo(key: string, reason: string): void;
}

/** No requests yet. */
export function createMissQuestions(options: MissQuestionsOptions): MissQuestions {
  const { absentMs, knownMs, maxEntries, perSecond, now } = options;
  const absent = createLru<string, string>(maxEntries, { keepMs: absentMs, now });
  const known = createLru<string, true>(maxEntries, { keepMs: knownMs, now });
  const burst = Math.max(1, perSecond);
  const steady = steadied(now);
  let left = burst;
  let countedAt = steady();

  function isWithinLimit(): boolean {
    const time = steady();
    left = Math.min(burst, left + ((time - countedAt) * perSecond) / 1000);
    countedAt = time;
    if (left < 1) return false;
    left -= 1;
    return true;
  }

  return {
    absence: (key) => (known.get(key) === true ? undefined : absent.get(key)),
    mayAsk: (key) => known.get(key) === true || isWithinLimit(),
    answeredYes: (key) => void known.set(key, true),
    answeredNo(key, reason) {
      known.delete(key);
      absent.set(key, reason);
    },
  };
}
