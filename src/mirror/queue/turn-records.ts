import type { Records } from '../../store/records.ts';
import type { MirrorTask, QueuedTask } from './task.ts';
import { recordBytes, turnIn, turnKey } from './task-record.ts';

/**
 * The records of tasks in one turn. A turn has a higher number than those before it, and each write
 * names the version that it replaces. So a late write of an earlier turn is refused after a write
 * of this one, and replaced before it. A finished task leaves a trace, whose version differs from
 * what a late write names.
 */
interface FencedRecords {
  /** From now on it is our turn. Throws when the store does. */
  begin(): Promise<void>;
  /** What was read there is what the next write replaces. */
  seen(key: string, version: string): void;
  /** Undefined: the task is done. Resolves to false, unwritten, after a later turn's write. */
  write(key: string, task: MirrorTask | QueuedTask | undefined): Promise<boolean>;
}

/** A refusal follows another's write, or a lost answer; more in a row mean a broken store. */
const mostRefusals = 10;

export function createFencedRecords(records: Pick<Records, 'get' | 'put'>): FencedRecords {
  /** Of tasks that are not done. */
  const versions = new Map<string, string>();
  let turn = 0;
  let writes = 0;

  /** Another writer's record; a write of ours whose answer was lost is found in the same way. */
  async function isOvertaken(key: string): Promise<boolean> {
    const found = await records.get(key);
    if (found === undefined) versions.delete(key);
    else versions.set(key, found.version);
    return found !== undefined && turnIn(found.bytes) > turn;
  }

  return {
    seen: (key, version) => void versions.set(key, version),
    async begin() {
      for (let refusals = 0; refusals <= mostRefusals; refusals += 1) {
        const found = await records.get(turnKey);
        const next = (found === undefined ? 0 : turnIn(found.bytes)) + 1;
        const bytes = recordBytes(undefined, { turn: next, write: 0 });
        const written = await records.put(turnKey, bytes, { ifVersion: found?.version ?? 'absent' });
        turn = next;
        if (written !== undefined) return;
      }
      throw new Error('cannot write the record of the turn to the store');
    },
    async write(key, task) {
      for (let refusals = 0; refusals <= mostRefusals; refusals += 1) {
        writes += 1;
        const bytes = recordBytes(task, { turn, write: writes });
        const version = await records.put(key, bytes, { ifVersion: versions.get(key) ?? 'absent' });
        if (version !== undefined) {
          if (task === undefined) versions.delete(key);
          else versions.set(key, version);
          return true;
        }
        if (await isOvertaken(key)) return false;
      }
      throw new Error(`cannot write the task record ${key}`);
    },
  };
}
