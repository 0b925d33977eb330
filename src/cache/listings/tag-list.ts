import { nameAt, type PackedNames } from '../../base/text/packed-names.ts';
import { isTag } from '../../oci/reference.ts';

/** What a client asks of a list (distribution-spec, "Listing Tags"). */
export interface TagRange {
  /** How many at most. Default: all. */
  readonly n?: number;
  /** The tag after which the page begins. Default: none. */
  readonly last?: string;
}

/**
 * Many tags in little memory: the text of their JSON array, and where each begins in it, so that a
 * page is a piece of the text. Nothing is parsed again.
 */
export interface TagList {
  readonly length: number;
  readonly names: PackedNames;
  /** The JSON array. */
  readonly json: Uint8Array;
  /** Memory it takes, bytes. */
  readonly bytes: number;
  /** The tags of the range, in their order, with the last of them where more come after it. */
  page(range: TagRange): { readonly json: Uint8Array; readonly last?: string };
}

/** A list of packed tags. */
export function createTagList(names: PackedNames): TagList {
  const { json: text, starts } = names;
  const { length } = starts;
  const startOf = (index: number): number => starts[index] ?? text.byteLength + 1;
  const tagAt = (index: number): string => nameAt(names, index);

  /** The first place whose tag is larger, in a list that is sorted, as nearly all are. */
  function placeAfter(last: string): number {
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tagAt(middle) > last) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Behind the tag itself, whatever the list is sorted by; where it is gone, where it would be. */
  function firstAfter(last: string): number {
    const found = isTag(last) ? text.indexOf(`"${last}"`, 0, 'latin1') + 1 : 0;
    return found > 0 ? 1 + indexOf(starts, found) : placeAfter(last);
  }

  return {
    length,
    names,
    json: text,
    bytes: text.byteLength + starts.byteLength,
    page({ n, last }) {
      const first = last === undefined || last === '' ? 0 : firstAfter(last);
      const end = n === undefined ? length : Math.min(length, first + n);
      if (first === 0 && end === length) return { json: text };
      if (first >= end) return { json: Buffer.from('[]') };
      const piece = text.subarray(startOf(first) - 1, startOf(end) - (end < length ? 2 : 1));
      const json = Buffer.concat([Buffer.from('['), piece, ...(end < length ? [Buffer.from(']')] : [])]);
      return end < length ? { json, last: tagAt(end - 1) } : { json };
    },
  };
}

function indexOf(starts: Uint32Array, start: number): number {
  let [low, high] = [0, starts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}
