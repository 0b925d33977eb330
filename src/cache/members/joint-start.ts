import { field, jsonOrNone } from '../../base/text/json.ts';
import { formatKey, membersPrefix } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';

/**
 * How long after the first process of this version the others may still be of an earlier one, which
 * does not read joint records, milliseconds: as long as an update may take.
 */
const updateMs = 86_400_000;

/** Whether there is a record whose key begins so. */
export async function hasAny(records: Records, prefix: string): Promise<boolean> {
  for await (const _ of records.list(prefix)) return true;
  return false;
}

/**
 * Since when repositories of this store may get joint records, milliseconds since the epoch: from
 * the beginning where no earlier version wrote a member, else a day after the first process asked.
 */
export async function jointStart(records: Records, now: number): Promise<number> {
  const known = await readStart(records);
  if (known !== undefined) return known;
  const start = (await hasAny(records, membersPrefix)) ? now + updateMs : 0;
  const bytes = Buffer.from(JSON.stringify({ jointSince: start }));
  const version = await records.put(formatKey, bytes, { ifVersion: 'absent' });
  return version === undefined ? ((await readStart(records)) ?? now + updateMs) : start;
}

async function readStart(records: Records): Promise<number | undefined> {
  const stored = await records.get(formatKey);
  const since = stored && field(jsonOrNone(stored.bytes), 'jointSince');
  return typeof since === 'number' && Number.isFinite(since) ? since : undefined;
}
