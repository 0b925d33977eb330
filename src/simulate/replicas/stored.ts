import { type Eviction, evictionPlan, isAboveMark } from '../../cache/eviction/plan.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ContentTable } from '../model/contents.ts';
import type { SimulatedFleet } from '../model/settings.ts';

interface EvictionQuestion {
  readonly now: number;
  readonly lastUse: (id: number) => number;
  readonly isInUse: (digest: Digest) => boolean;
}

/** What one look at the size found. */
export interface StoreReport {
  /** How many pieces were listed, and of these how many manifests were read. */
  readonly listed: number;
  readonly manifests: number;
  readonly evicted: readonly { readonly id: number; readonly eviction: Eviction }[];
}

/** A bucket or a directory: what it holds, and what gives way above its mark. */
export class SimulatedStore {
  readonly #contents: ContentTable;
  readonly #storedAt = new Map<number, number>();
  /** What was here, and had to go. */
  readonly #gone = new Set<number>();
  #bytes = 0;

  constructor(contents: ContentTable) {
    this.#contents = contents;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(id: number): boolean {
    return this.#storedAt.has(id);
  }

  wasEvicted(id: number): boolean {
    return this.#gone.has(id);
  }

  put(id: number, now: number): void {
    if (!this.#storedAt.has(id)) this.#bytes += this.#contents.size(id);
    this.#storedAt.set(id, now);
    this.#gone.delete(id);
  }

  /** Nothing to do is `undefined`. The plan is that of `cache/eviction`, carried out at once. */
  evicted(
    fleet: Pick<SimulatedFleet, 'mediumBytes' | 'eviction'>,
    { now, lastUse, isInUse }: EvictionQuestion,
  ): StoreReport | undefined {
    const { mediumBytes: maxBytes, eviction: marks } = fleet;
    if (maxBytes === undefined || !isAboveMark(this.#bytes, { maxBytes, ...marks })) return undefined;
    const contents = this.#contents;
    const ids = this.#listed();
    const storedAt = Float64Array.from(ids, (id) => this.#storedAt.get(id) ?? 0);
    const places = new Map(ids.map((id, index) => [id, index]));
    const references = this.#references(ids, places);
    const plan = evictionPlan({
      ...{ ...marks, maxBytes, now, isInUse, references },
      inventory: {
        length: ids.length,
        sizes: Float64Array.from(ids, (id) => contents.size(id)),
        storedAt,
        digestAt: (index) => contents.digest(ids[index] ?? 0),
        indexOf: () => undefined,
      },
      usedAt: storedAt.map((at, index) => Math.max(at, lastUse(ids[index] ?? 0))),
      pinned: new Set(),
    });
    const idOf = new Map(ids.map((id) => [contents.digest(id), id]));
    const evicted = plan.delete.flatMap((eviction) => {
      const id = idOf.get(eviction.digest);
      return id === undefined ? [] : [{ id, eviction }];
    });
    for (const { id } of evicted) this.#delete(id);
    return { listed: ids.length, manifests: references.size, evicted };
  }

  /** As stores list it: of two pieces that were used at the same time the first one goes. */
  #listed(): readonly number[] {
    const named = [...this.#storedAt.keys()].map((id) => ({ id, digest: this.#contents.digest(id) }));
    named.sort((one, other) => (one.digest < other.digest ? -1 : 1));
    return named.map(({ id }) => id);
  }

  #references(
    ids: readonly number[],
    places: ReadonlyMap<number, number>,
  ): ReadonlyMap<number, readonly number[]> {
    const references = new Map<number, readonly number[]>();
    for (const [index, id] of ids.entries()) {
      const children = this.#contents.references(id);
      if (children !== undefined)
        references.set(
          index,
          children.flatMap((child) => places.get(child) ?? []),
        );
    }
    return references;
  }

  #delete(id: number): void {
    if (this.#storedAt.delete(id)) this.#bytes -= this.#contents.size(id);
    this.#gone.add(id);
  }
}
