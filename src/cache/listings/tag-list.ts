import { isTag, type Tag } from '../../oci/reference.ts';

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
  /** The JSON array. */
  readonly json: Uint8Array;
  /** Memory it takes, bytes. */
  readonly bytes: number;
  /** The tags of the range, in their order, with the last of them where more come after it. */
  page(range: TagRange): { readonly json: Uint8Array; readonly last?: string };
}

/**
 * Of tags alone, which need no escapes; their order is kept, and each is held once: a walk from
 * page to page would come back to the first of two.
 */
export function createTagList(listed: Iterable<Tag>): TagList {
  const tags = [...new Set(listed)];
  const { length } = tags;
  const text = Buffer.from(tagsJson(tags), 'latin1');
  const starts = new Uint32Array(length);
  let next = '["'.length;
  for (const [index, tag] of tags.entries()) {
    starts[index] = next;
    next += tag.length + '","'.length;
  }
  const startOf = (index: number): number => starts[index] ?? text.byteLength + 1;
  const tagAt = (index: number): string =>
    text.toString('latin1', startOf(index), startOf(index + 1) - '","'.length);

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

/** The JSON array of tags. */
function tagsJson(tags: readonly Tag[]): string {
  return tags.length === 0 ? '[]' : `["${tags.join('","')}"]`;
}

/** The tags of such an array. */
export function tagsIn(json: Uint8Array): readonly Tag[] {
  const bytes = Buffer.from(json.buffer, json.byteOffset, json.byteLength);
  const text = bytes.toString('latin1', '["'.length, bytes.byteLength - '"]'.length);
  return text === '' ? [] : text.split('","').filter(isTag);
}
