import { isObject, jsonOrNone, listOf } from '../base/text/json.ts';
import { type Clock, systemClock, type Timer } from '../base/time/wait.ts';
import { conditionsKey } from '../store/keys.ts';
import type { Records } from '../store/records.ts';
import { type Condition, isCondition } from './condition.ts';

/** What counted, over a restart. */
export interface ConditionMemory {
  /** What was remembered last; nothing where nothing was. Rejects when that cannot be told. */
  recall(): Promise<readonly Condition[]>;
  /** Keeps them, within some seconds. */
  remember(conditions: readonly Condition[]): void;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

const version = 1;
const writeAfterMs = 5_000;

/**
 * One record for all replicas of a store, the last one to change wins: a new replica then begins
 * with what counted, until it has looked itself. A failed write is forgotten: the next change
 * writes again.
 */
export function createConditionMemory(
  records: Pick<Records, 'get' | 'put'>,
  clock: Clock = systemClock,
): ConditionMemory {
  let waiting: readonly Condition[] | undefined;
  let timer: Timer | undefined;
  let writing = Promise.resolve();

  function write(): void {
    const conditions = waiting;
    waiting = undefined;
    timer?.[Symbol.dispose]();
    timer = undefined;
    if (conditions === undefined) return;
    const bytes = Buffer.from(JSON.stringify({ version, conditions: conditions.map(kept) }));
    writing = writing
      .then(() => records.put(conditionsKey, bytes))
      .then(
        () => undefined,
        () => undefined,
      );
  }

  return {
    async recall() {
      const record = await records.get(conditionsKey);
      const held = record === undefined ? undefined : jsonOrNone(record.bytes);
      return isObject(held) && held['version'] === version
        ? listOf(held['conditions']).filter(isCondition)
        : [];
    },
    remember(conditions) {
      waiting = conditions;
      if (timer !== undefined) return;
      timer = clock.setTimeout(write, writeAfterMs);
      timer.unref();
    },
    close() {
      write();
      return writing;
    },
  };
}

/** Without what does not count yet. */
function kept({ type, name, status, reason, message, lastTransitionTime }: Condition): Condition {
  const named = name === undefined ? {} : { name };
  return { type, ...named, status, reason, message, lastTransitionTime };
}
