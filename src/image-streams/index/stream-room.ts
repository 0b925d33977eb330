import type { ReferenceTable } from './reference-table.ts';

/** What is in a book. A digest counts once for each repository. */
export interface BookSize {
  readonly streams: number;
  readonly tags: number;
  readonly digests: number;
  readonly references: number;
  /** Streams and references that had no room, each time that the stream was read. */
  readonly refused: number;
}

export interface StreamRoomOptions {
  /** True where only automation writes: it has room when all the other streams together do not. */
  readonly isTrusted: (namespace: string) => boolean;
  /** References of all untrusted streams together, and as many beyond it. Default 2,000,000. */
  readonly maxReferences?: number;
}

/** References to one digest. */
export interface DigestCrowd {
  readonly count: number;
  /** How many of them are of streams of that namespace. */
  of(namespace: string): number;
  /** Of each reference. */
  namespaces(): readonly string[];
}

/** References to one digest, but for trusted streams: each look at the digest reads all of them. */
const mostOfDigest = 2_048;
/** Of those, the references of one untrusted namespace: its users crowd out no others. */
const mostOfDigestHere = 64;
/** An untrusted namespace takes this part of the room of all untrusted ones at most. */
const share = 8;
/** Streams, and as many of trusted namespaces beyond it: a cluster has a few thousand. */
const mostStreams = 100_000;

/** Who may take how much of the memory of an index: authors write streams without a limit. */
export class StreamRoom {
  readonly #options: StreamRoomOptions;
  /** References of each namespace. */
  readonly #taken = new Map<string, number>();
  #references = 0;
  #refused = 0;

  constructor(options: StreamRoomOptions) {
    this.#options = options;
  }

  /** Streams and references that had no room, each time. */
  get refused(): number {
    return this.#refused;
  }

  /** For a further stream, of which so many are known. */
  hasStream(namespace: string, known: number): boolean {
    return this.#told(known < (this.#options.isTrusted(namespace) ? 2 * mostStreams : mostStreams));
  }

  /** For one more reference of a stream of the namespace, to a digest that is known or not. */
  hasReference(namespace: string, crowd?: DigestCrowd): boolean {
    if (this.isFull(namespace)) return this.#told(false);
    if (this.#options.isTrusted(namespace)) return true;
    return this.#told(crowd === undefined || hasPlace(crowd, namespace));
  }

  /** Whether there is no room for any further reference of a stream of the namespace. */
  isFull(namespace: string): boolean {
    const { maxReferences = 2_000_000, isTrusted } = this.#options;
    if (isTrusted(namespace)) return this.#references >= 2 * maxReferences;
    return this.#references >= maxReferences || this.#takenBy(namespace) >= maxReferences / share;
  }

  /** Whether a reference to a digest with these ones may have been refused. */
  isCrowded(crowd: DigestCrowd): boolean {
    if (crowd.count < mostOfDigestHere) return false;
    if (crowd.count >= mostOfDigest) return true;
    const counts = new Map<string, number>();
    for (const namespace of crowd.namespaces()) counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
    const isMost = ([namespace, own]: [string, number]): boolean =>
      own >= mostOfDigestHere && !this.#options.isTrusted(namespace);
    return [...counts].some(isMost);
  }

  take(namespace: string): void {
    this.#references += 1;
    this.#taken.set(namespace, this.#takenBy(namespace) + 1);
  }

  free(namespace: string): void {
    this.#references -= 1;
    const left = this.#takenBy(namespace) - 1;
    if (left > 0) this.#taken.set(namespace, left);
    else this.#taken.delete(namespace);
  }

  #takenBy(namespace: string): number {
    return this.#taken.get(namespace) ?? 0;
  }

  #told(isRoom: boolean): boolean {
    if (!isRoom) this.#refused += 1;
    return isRoom;
  }
}

/** The references of a row of the table. */
export function crowdOf(
  table: ReferenceTable,
  row: number,
  namespaceOf: (tag: number) => string | undefined,
): DigestCrowd {
  const ofReference = (reference: number): string => namespaceOf(table.tagOf(reference)) ?? '';
  return {
    count: table.countOf(row),
    of: (namespace) => table.countOf(row, (reference) => ofReference(reference) === namespace),
    namespaces() {
      const found: string[] = [];
      table.each(row, (reference) => found.push(ofReference(reference)));
      return found;
    },
  };
}

/** Counts only where there are many. */
function hasPlace({ count, of }: DigestCrowd, namespace: string): boolean {
  if (count < mostOfDigestHere) return true;
  return count < mostOfDigest && of(namespace) < mostOfDigestHere;
}
