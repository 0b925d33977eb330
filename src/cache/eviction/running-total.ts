import { fieldsOf, jsonOrNone } from '../../base/text/json.ts';
import { storeTotalKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { CachedBlobs } from '../../store/store.ts';

/** What a store holds, by a walk and by what was put and deleted since. */
interface StoreTotal {
  readonly blobs: number;
  readonly bytes: number;
  /** When a walk last counted all of it, milliseconds since the epoch. */
  readonly checkedAt: number;
}

interface RunningTotalOptions {
  readonly records: Pick<Records, 'get' | 'put'>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** Of the writes of several replicas at once one succeeds; the others try again. */
const mostTries = 5;

/**
 * How much a store holds, known without a walk: one record for all replicas, to which each adds
 * what it has put and evicted. What is put twice, or deleted because it is wrong, counts as if it
 * stayed: the total is at most too large until the next walk. What a killed process had not added
 * yet is missing until then.
 */
export class RunningTotal {
  readonly #options: RunningTotalOptions;
  #blobs = 0;
  #bytes = 0;

  constructor(options: RunningTotalOptions) {
    this.#options = options;
  }

  put(size: number): void {
    this.#blobs += 1;
    this.#bytes += size;
  }

  evicted(size: number): void {
    this.#blobs -= 1;
    this.#bytes -= size;
  }

  /** Adds what was noted to the record; undefined where no walk has made one. */
  flush(): Promise<StoreTotal | undefined> {
    return this.#changed((total, noted) => total && { ...total, ...sum(total, noted) });
  }

  /** A walk has counted everything, including what is noted here. */
  async walked({ blobs, bytes }: Pick<StoreTotal, 'blobs' | 'bytes'>): Promise<void> {
    const checkedAt = (this.#options.clock ?? Date.now)();
    await this.#changed(() => ({ blobs, bytes, checkedAt }));
  }

  async #changed(
    change: (total: StoreTotal | undefined, noted: Noted) => StoreTotal | undefined,
  ): Promise<StoreTotal | undefined> {
    const { records } = this.#options;
    for (let tries = 0; tries < mostTries; tries += 1) {
      const record = await records.get(storeTotalKey);
      const held = record && parsed(record.bytes);
      const noted = { blobs: this.#blobs, bytes: this.#bytes };
      const total = change(held, noted);
      const isSame =
        held !== undefined && held.checkedAt === total?.checkedAt && noted.blobs === 0 && noted.bytes === 0;
      if (total === undefined || isSame) return total;
      const text = Buffer.from(JSON.stringify(total));
      const version = await records.put(storeTotalKey, text, { ifVersion: record?.version ?? 'absent' });
      if (version === undefined) continue;
      this.#blobs -= noted.blobs;
      this.#bytes -= noted.bytes;
      return total;
    }
    return undefined;
  }
}

interface Noted {
  readonly blobs: number;
  readonly bytes: number;
}

/** The same blobs; what is put through them is noted. */
export function summed(blobs: CachedBlobs, total: Pick<RunningTotal, 'put'>): CachedBlobs {
  const { adopt } = blobs;
  return {
    ...blobs,
    async put(descriptor, bytes, options) {
      await blobs.put(descriptor, bytes, options);
      total.put(descriptor.size);
    },
    ...(adopt && {
      async adopt(descriptor, file) {
        const isAdopted = await adopt(descriptor, file);
        if (isAdopted) total.put(descriptor.size);
        return isAdopted;
      },
    }),
  };
}

/** Never below nothing: a replica may be told of deletions before it is told of what was put. */
function sum(left: Noted, right: Noted): Noted {
  return {
    blobs: Math.max(0, left.blobs + right.blobs),
    bytes: Math.max(0, left.bytes + right.bytes),
  };
}

function parsed(bytes: Uint8Array): StoreTotal | undefined {
  const { blobs, bytes: held, checkedAt } = fieldsOf(jsonOrNone(bytes));
  const isTotal = isCount(blobs) && isCount(held) && isCount(checkedAt);
  return isTotal ? { blobs, bytes: held, checkedAt } : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0;
}
