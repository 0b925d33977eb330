import { createLru } from '../../base/state/lru.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';

/** Within this time after an index a client asks for the child that it chose, milliseconds. */
const followsMs = 60_000;

const mostIndexes = 1_000;
const mostChildren = 100_000;

/**
 * Which manifests are asked for because an index that lists them was answered: no client leaves its
 * mirror at one of those, whatever it is answered, while a manifest that is asked for by itself is
 * refused so that the client goes elsewhere.
 */
export class AnsweredIndexes {
  readonly #answeredAt = createLru<Digest, number>(mostIndexes);
  /** The index that listed it last. */
  readonly #indexOf = createLru<Digest, Digest>(mostChildren);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** What the index lists is known. */
  lists(index: Digest, children: readonly Descriptor[]): void {
    for (const { digest } of children) this.#indexOf.set(digest, index);
  }

  /** Whether the index was answered before, so that what it lists need not be read again. */
  isKnown(index: Digest): boolean {
    return this.#answeredAt.has(index);
  }

  /** The index goes out to a client. */
  answered(index: Digest): void {
    this.#answeredAt.set(index, this.#now());
  }

  /** Whether an index that lists the manifest was answered within a minute. */
  isChild(digest: Digest): boolean {
    const index = this.#indexOf.get(digest);
    const at = index === undefined ? undefined : this.#answeredAt.get(index);
    return at !== undefined && this.#now() - at < followsMs;
  }
}
