import { randomUUID } from 'node:crypto';
import { leaseKey } from '../store/keys.ts';
import type { Records } from '../store/records.ts';

export interface LeaseOptions {
  readonly records: Records;
  /** Which job; one replica at a time does it. */
  readonly name: string;
  /** Who does it, for those who look at the record. */
  readonly holder: string;
  /** How long the others wait for a holder that died, milliseconds; must well exceed the replicas' clock skew. Default 60,000. */
  readonly ttlMs?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/**
 * Does `work` while holding the job's lease, and gives the lease back; undefined, without a beginning, when another replica
 * holds it. The lease is prolonged while the work runs; should it be lost, or the caller's signal abort, the signal that
 * `work` is given aborts.
 */
export async function leased<Result>(
  options: LeaseOptions,
  work: (signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): Promise<{ readonly result: Result } | undefined> {
  const ttlMs = options.ttlMs ?? 60_000;
  const first = await acquired(options, ttlMs);
  if (first === undefined) return undefined;
  const lost = new AbortController();
  let version: string | undefined = first;
  let prolonging = Promise.resolve();
  const timer = setInterval(() => {
    prolonging = prolonging.then(async () => {
      version = version && (await prolonged(options, ttlMs, version));
      if (version === undefined) lost.abort(new Error(`the lease "${options.name}" was lost`));
    });
  }, ttlMs / 3);
  try {
    return {
      result: await work(signal === undefined ? lost.signal : AbortSignal.any([lost.signal, signal])),
    };
  } finally {
    clearInterval(timer);
    await prolonging;
    if (version !== undefined) await written(options, 0, version).catch(() => undefined);
  }
}

/** A second try makes up for one lost call; a write that failed but arrived shows as a lost lease, which is safe. */
async function prolonged(options: LeaseOptions, ttlMs: number, version: string): Promise<string | undefined> {
  const again = () => written(options, ttlMs, version);
  return await again()
    .catch(again)
    .catch(() => undefined);
}

async function acquired(options: LeaseOptions, ttlMs: number): Promise<string | undefined> {
  const record = await options.records.get(leaseKey(options.name));
  if (record !== undefined && expiryOf(record.bytes) > (options.clock ?? Date.now)()) return undefined;
  return await written(options, ttlMs, record?.version ?? 'absent');
}

/** The `write` field makes every record's bytes new, for media whose versions are digests of the bytes. */
async function written(options: LeaseOptions, ttlMs: number, ifVersion: string): Promise<string | undefined> {
  const expiresAt = (options.clock ?? Date.now)() + ttlMs;
  const bytes = Buffer.from(JSON.stringify({ holder: options.holder, expiresAt, write: randomUUID() }));
  return await options.records.put(leaseKey(options.name), bytes, { ifVersion });
}

/** A record that cannot be understood has expired: no bug of one version may stop the job for ever. */
function expiryOf(bytes: Uint8Array): number {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    const expiresAt =
      typeof value === 'object' && value !== null && 'expiresAt' in value ? value.expiresAt : 0;
    return typeof expiresAt === 'number' ? expiresAt : 0;
  } catch {
    return 0;
  }
}
