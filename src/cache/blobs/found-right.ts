import { createLru } from '../../base/state/lru.ts';
import type { Content, Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';

/** Copies that are remembered. */
const mostRemembered = 100_000;

/**
 * Which copies of a store this process found right, by their size: a copy of another size is
 * another copy. And which were replaced since a read began: what that read found says nothing of
 * the copy that is there now.
 */
export class FoundRight {
  readonly #sizes = createLru<Digest, number>(mostRemembered);
  readonly #replacedAt = createLru<Digest, number>(mostRemembered);
  readonly #openedAt = new WeakMap<Content, number>();
  #turn = 0;

  has({ digest, size }: Descriptor): boolean {
    return this.#sizes.get(digest) === size;
  }

  add({ digest, size }: Descriptor): void {
    this.#sizes.set(digest, size);
  }

  /** False where it was not there. */
  delete(digest: Digest): boolean {
    return this.#sizes.delete(digest);
  }

  /** For `opened`, before the copy is opened. */
  turn(): number {
    return this.#turn;
  }

  /** The same content, for `isReplaced`. */
  opened(content: Content, turn: number): Content {
    this.#openedAt.set(content, turn);
    return content;
  }

  /** The store has another copy from now on, or none. */
  replaced(digest: Digest): void {
    this.#turn += 1;
    this.#replacedAt.set(digest, this.#turn);
  }

  /** Whether the store may have another copy by now than the one that was opened. */
  isReplaced(content: Content): boolean {
    return (this.#replacedAt.get(content.descriptor.digest) ?? 0) > (this.#openedAt.get(content) ?? 0);
  }
}
