import { headerOf, type UpstreamResponse } from '../../upstream/exchange.ts';

/** From the answer that cost least to the one that cost most; unknown words cost more. */
const order: readonly string[] = [
  'none',
  'memory',
  'store',
  'redirect',
  'stale',
  'joined',
  'bypass',
  'upstream',
  'fill',
];

const longestWord = 30;

/** The last word of `Quayside-Cache`, such as `fill` of `miss; fill`; `none` without one. */
export function hitClassOf(answer: UpstreamResponse): string {
  const words = headerOf(answer, 'quayside-cache')?.split(';') ?? [];
  return words.at(-1)?.trim().slice(0, longestWord) || 'none';
}

/** The class of what has several answers: that of the one that cost most. */
export function costliest(classes: Iterable<string>): string {
  return [...classes].reduce((left, right) => (costOf(right) > costOf(left) ? right : left), 'none');
}

function costOf(word: string): number {
  const index = order.indexOf(word);
  return index < 0 ? order.length : index;
}
