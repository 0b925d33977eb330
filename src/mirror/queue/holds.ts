import { createHash } from 'node:crypto';
import { concurrently } from '../../base/flow/each.ts';
import { defined } from '../../base/text/defined.ts';
import { field, fieldsOf, jsonOrNone, textOf } from '../../base/text/json.ts';
import type { Records } from '../../store/records.ts';

/** An operator's word that the loop must leave a destination as it is. */
export interface MirrorHold {
  /** The pull spec of the destination, as tasks have it. */
  readonly destination: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** When it ends by itself, milliseconds since the epoch. Default: never. */
  readonly until?: number;
  /** For people. */
  readonly why?: string;
}

/**
 * The holds of a store, which all its processes share. Each write names the version that it
 * replaces, so that a late one of a suspended process undoes no later hold. Every method throws
 * when the store does: what is not known is not "no hold".
 */
export interface Holds {
  /** The hold that counts now. One read of a record. */
  find(destination: string): Promise<MirrorHold | undefined>;
  /** Replaces an earlier hold of the destination, never a later one. Resolves to whether it did. */
  put(hold: MirrorHold): Promise<boolean>;
  /** Ends the hold that it finds, none that comes meanwhile. Resolves to whether it ended one. */
  release(destination: string): Promise<boolean>;
  /** Those that count now, in alphabetical order. */
  list(): Promise<readonly MirrorHold[]>;
}

/** One record for each destination that was ever held; a release leaves its trace in it. */
const prefix = 'v1/tasks/held/';
const readsAtATime = 16;
/** A refusal follows another's write, or a lost answer; more in a row mean a broken store. */
const mostRefusals = 10;

interface HoldsOptions {
  readonly records: Records;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** See `Holds`. Keeps nothing in memory. */
export function createHolds({ records, now = Date.now }: HoldsOptions): Holds {
  const counts = (hold: MirrorHold | undefined): hold is MirrorHold =>
    hold !== undefined && (hold.until === undefined || hold.until > now());

  async function read(key: string): Promise<{ readonly hold?: MirrorHold; readonly version?: string }> {
    const record = await records.get(key);
    if (record === undefined) return {};
    const hold = parseHold(record.bytes);
    return { version: record.version, ...(counts(hold) ? { hold } : {}) };
  }

  /** Resolves to whether it was written: not where `isNeeded` says no to what is there. */
  async function replace(
    destination: string,
    value: object,
    isNeeded: (hold: MirrorHold | undefined) => boolean,
  ): Promise<boolean> {
    const key = keyOf(destination);
    const bytes = Buffer.from(JSON.stringify(value));
    for (let refusals = 0; refusals <= mostRefusals; refusals += 1) {
      const { hold, version } = await read(key);
      if (!isNeeded(hold)) return false;
      if ((await records.put(key, bytes, { ifVersion: version ?? 'absent' })) !== undefined) return true;
    }
    throw new Error(`cannot write the hold record ${key}`);
  }

  return {
    find: async (destination) => (await read(keyOf(destination))).hold,
    put: (hold) =>
      replace(hold.destination, hold, (there) => there === undefined || there.since <= hold.since),
    async release(destination) {
      const seen = (await read(keyOf(destination))).hold;
      if (seen === undefined) return false;
      const trace = { destination, releasedAt: now() };
      return replace(destination, trace, (hold) => hold !== undefined && hold.since <= seen.since);
    },
    async list() {
      const keys: string[] = [];
      for await (const { key } of records.list(prefix)) keys.push(key);
      const found: MirrorHold[] = [];
      await concurrently(keys, readsAtATime, async (key) => {
        const { hold } = await read(key);
        if (hold !== undefined) found.push(hold);
      });
      return found.sort((left, right) => (left.destination < right.destination ? -1 : 1));
    },
  };
}

function keyOf(destination: string): string {
  return prefix + createHash('sha256').update(destination).digest('hex');
}

/** Undefined for the trace of a release. What another version wrote is a hold without an end. */
function parseHold(bytes: Uint8Array): MirrorHold | undefined {
  const fields = fieldsOf(jsonOrNone(bytes));
  if (typeof fields['releasedAt'] === 'number') return undefined;
  const { since, until } = fields;
  return {
    destination: textOf(field(fields, 'destination')) ?? '',
    since: typeof since === 'number' ? since : 0,
    ...(typeof until === 'number' ? { until } : {}),
    ...defined({ why: textOf(fields['why']) }),
  };
}
