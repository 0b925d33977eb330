/**
 * The size of an LRU cache of at most so many entries, which takes memory as it fills. With `max` alone lru-cache makes room for all of
 * them at once: of 100,000 that is up to 4 MB and a tenth of a second, for each cache, before anything was asked.
 */
export function upTo(entries: number): { readonly maxSize: number; readonly sizeCalculation: () => number } {
  return { maxSize: entries, sizeCalculation: () => 1 };
}
