import { createLru } from '../../base/state/lru.ts';

interface MissQuestionsOptions {
  /** How long "not at the source either" is believed, milliseconds. */
  readonly absentMs: number;
  /** Tags that are remembered as absent. */
  readonly maxEntries: number;
  /** Questions put to sources, all together; one second's worth may come at once. */
  readonly perSecond: number;
  /** Milliseconds since any fixed moment. */
  readonly now: () => number;
}

/** Whether a source may be asked for a tag: `absent` after a recent no, `limited` at the limit. */
type Leave = 'ask' | 'absent' | 'limited';

/** Protects the sources from a flood of unknown tags. */
interface MissQuestions {
  /** `ask` counts as asked. */
  leave(key: string): Leave;
  /** The source has no such tag. */
  answeredNo(key: string): void;
}

/** No requests yet. */
export function createMissQuestions(options: MissQuestionsOptions): MissQuestions {
  const { absentMs, maxEntries, perSecond, now } = options;
  const absent = createLru<string, true>(maxEntries, { keepMs: absentMs, now });
  const burst = Math.max(1, perSecond);
  let left = burst;
  let countedAt = now();

  function isWithinLimit(): boolean {
    const time = now();
    left = Math.min(burst, left + ((time - countedAt) * perSecond) / 1000);
    countedAt = time;
    if (left < 1) return false;
    left -= 1;
    return true;
  }

  return {
    leave(key) {
      if (absent.get(key) === true) return 'absent';
      return isWithinLimit() ? 'ask' : 'limited';
    },
    answeredNo: (key) => void absent.set(key, true),
  };
}
