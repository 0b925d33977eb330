import { field, jsonOrNone, listOf, textOf } from '../base/text/json.ts';
import { pruneKey } from '../store/keys.ts';
import type { Records } from '../store/records.ts';
import type { NameRange } from './tag-ranges.ts';

/** How far the deletions of a repository have come. */
export interface PruneProgress {
  /** Where work is left; empty once all was looked at. */
  readonly ranges: readonly NameRange[];
  /** What could not be deleted or was not begun, and why. It is tried again first. */
  readonly failed: ReadonlyMap<string, string>;
}

/** The record of one job, kept in the store: one writer at a time, by the lease of the job. */
export interface PruneRecord {
  /** Undefined without a record, and for one that makes no sense. Throws when the store does. */
  read(): Promise<PruneProgress | undefined>;
  write(progress: PruneProgress): Promise<void>;
}

/** More failures than this are not kept: a listing finds their tags again. */
const mostFailed = 20_000;

export function createPruneRecord(records: Pick<Records, 'get' | 'put'>, job: string): PruneRecord {
  const key = pruneKey(job);
  return {
    async read() {
      const record = await records.get(key);
      return record && progressIn(jsonOrNone(record.bytes));
    },
    async write({ ranges, failed }) {
      const kept = [...failed].slice(0, mostFailed);
      await records.put(key, Buffer.from(JSON.stringify({ ranges, failed: kept })));
    },
  };
}

function progressIn(value: unknown): PruneProgress {
  const ranges = listOf(field(value, 'ranges')).flatMap((each) => {
    const [after, until] = [textOf(field(each, 'after')), textOf(field(each, 'until'))];
    return after === undefined || until === undefined ? [] : [{ after, until }];
  });
  const failed = listOf(field(value, 'failed')).flatMap((each): [string, string][] => {
    const id = textOf(field(each, 0));
    return id === undefined ? [] : [[id, textOf(field(each, 1)) ?? '']];
  });
  return { ranges, failed: new Map(failed) };
}
