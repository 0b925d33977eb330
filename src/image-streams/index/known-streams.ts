import type { StreamItem } from './stream-copy.ts';

/** A stream of a book, by the numbers of its tags and references. */
export interface KnownStream extends StreamItem {
  readonly tags: Map<string, number>;
  readonly references: Set<number>;
  /** In which it was read last. */
  look: number;
}

/** One that names nothing yet. */
export function knownStream(
  stream: Pick<StreamItem, 'namespace' | 'name' | 'uid'>,
  look: number,
): KnownStream {
  return { ...stream, version: '', tags: new Map(), references: new Set(), look };
}

/** More are not told apart: then all counts as unknown until a cluster is listed whole. */
const mostKnown = 10_000;

/** Streams that a book has not taken in whole: what they name is not all known. */
export class StreamGaps {
  /** By the key of the stream, the look in which it was read. */
  readonly #streams = new Map<string, number>();
  #othersAt: number | undefined;

  get isEmpty(): boolean {
    return this.#streams.size === 0 && this.#othersAt === undefined;
  }

  /** The stream was read in that look, whole or not. */
  read(key: string, look: number, isWhole: boolean): void {
    if (isWhole) this.#streams.delete(key);
    else if (this.#streams.size < mostKnown || this.#streams.has(key)) this.#streams.set(key, look);
    else this.#othersAt = look;
  }

  /** The stream is no more. */
  lost(key: string): void {
    this.#streams.delete(key);
  }

  /** The look that began as this one has read all streams of the namespace, or of the cluster. */
  looked(begun: number, namespace: string | undefined): void {
    for (const [key, look] of this.#streams)
      if (look < begun && (namespace === undefined || key.startsWith(`${namespace}/`)))
        this.#streams.delete(key);
    if (namespace === undefined && this.#othersAt !== undefined && this.#othersAt < begun)
      this.#othersAt = undefined;
  }
}

/** Among streams of a book. */
export function streamKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
