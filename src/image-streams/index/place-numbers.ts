import { createHash } from 'node:crypto';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { keyBytes } from './reference-table.ts';

/** A repository, for digests that are keys themselves, or for those whose keys are made of them. */
export interface NumberedPlace {
  readonly upstream: string;
  readonly repository: string;
  readonly isLong: boolean;
}

const nowhere: NumberedPlace = { upstream: '', repository: '', isLong: false };

/** Numbers for repositories, as the table needs them. */
export class PlaceNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #places: NumberedPlace[] = [];
  readonly #free: number[] = [];

  find(place: NumberedPlace): number | undefined {
    return this.#numbers.get(textOf(place));
  }

  /** Its number, or a new one. */
  number(place: NumberedPlace): number {
    const known = this.find(place);
    if (known !== undefined) return known;
    const number = this.#free.pop() ?? this.#places.length;
    this.#places[number] = place;
    this.#numbers.set(textOf(place), number);
    return number;
  }

  placeOf(number: number): NumberedPlace {
    return this.#places[number] ?? nowhere;
  }

  /** Frees the numbers of all others. */
  keep(used: ReadonlySet<number>): void {
    for (const [text, number] of this.#numbers) {
      if (used.has(number)) continue;
      this.#numbers.delete(text);
      this.#places[number] = nowhere;
      this.#free.push(number);
    }
  }
}

function textOf({ upstream, repository, isLong: long }: NumberedPlace): string {
  return `${upstream} ${repository}${long ? ' long' : ''}`;
}

/** True for a digest that is longer than a key of the table. */
export function isLong(digest: Digest): boolean {
  return algorithmOf(digest) !== 'sha256';
}

const scratch = Buffer.alloc(keyBytes);

/** What finds a digest in the table. Valid until the next call. */
export function keyOf(digest: Digest): Uint8Array {
  if (isLong(digest)) return createHash('sha256').update(digest).digest();
  scratch.write(hexOf(digest), 'hex');
  return scratch;
}
