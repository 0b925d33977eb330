import { randomUUID } from 'node:crypto';
import { fieldsOf, jsonOrNone } from '../base/text/json.ts';
import { leaseKey } from '../store/keys.ts';
import type { Records } from '../store/records.ts';
import type { LeaseMedium, LeaseRecord } from './medium.ts';

interface RecordLeaseOptions {
  /** Which job; one replica at a time does it. */
  readonly name: string;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** A lease as a record beside the blobs, for replicas that share a store. */
export function createRecordLease(
  records: Pick<Records, 'get' | 'put'>,
  { name, clock = Date.now }: RecordLeaseOptions,
): LeaseMedium {
  const key = leaseKey(name);
  return {
    async read() {
      const record = await records.get(key);
      return record && { ...parsed(record.bytes), version: record.version };
    },
    async write({ holder, ttlMs }, seen) {
      const claim = { holder, ttlMs, expiresAt: holder === '' ? 0 : clock() + ttlMs };
      // New random bytes make a new version, for media whose versions are digests of the bytes.
      const bytes = Buffer.from(JSON.stringify({ ...claim, write: randomUUID() }));
      const version = await records.put(key, bytes, { ifVersion: seen?.version ?? 'absent' });
      return version === undefined ? undefined : { ...claim, version };
    },
  };
}

/** An unparsable record counts as released: a bug of one version must not block the job forever. */
function parsed(bytes: Uint8Array): Omit<LeaseRecord, 'version'> {
  const { holder, ttlMs, expiresAt } = fieldsOf(jsonOrNone(bytes));
  return {
    holder: typeof holder === 'string' && typeof expiresAt === 'number' ? holder : '',
    ...(typeof ttlMs === 'number' ? { ttlMs } : {}),
    ...(typeof expiresAt === 'number' ? { expiresAt } : {}),
  };
}
