import { LRUCache } from 'lru-cache';
import { steadied } from '../time/steady.ts';

interface LruOptions<Key, Value> {
  /** How long a value is kept, in milliseconds. Default: until it gives way, or as `set` says. */
  readonly keepMs?: number;
  /** Milliseconds; may be set back meanwhile. Default `performance.now`. */
  readonly now?: () => number;
  /** Called with a value that is no longer kept, and why. */
  readonly dispose?: LRUCache.Disposer<Key, Value>;
}

/**
 * Values by key; of more than `maxEntries` the least recently used give way. Takes memory as it
 * fills: with `max` lru-cache makes room for all of them at once, which for 100,000 is up to 4 MB
 * and a tenth of a second for each cache, before anything was asked.
 */
export function createLru<
  Key extends object | string | number,
  Value extends object | string | number | boolean,
>(maxEntries: number, { keepMs, now, dispose }: LruOptions<Key, Value> = {}): LRUCache<Key, Value> {
  const steady = now && steadied(now);
  return new LRUCache<Key, Value>({
    maxSize: maxEntries,
    sizeCalculation: () => 1,
    // An age in lru-cache is a whole number, and 0 is none; so is a start at 0.
    ...(keepMs === undefined ? {} : { ttl: Math.max(1, Math.ceil(keepMs)) }),
    ...(steady === undefined ? {} : { perf: { now: () => steady() + 1 } }),
    ttlResolution: 0,
    ...(dispose === undefined ? {} : { dispose }),
  });
}
