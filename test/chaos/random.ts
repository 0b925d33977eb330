/** Chance that can be repeated. */
export interface Random {
  /** At least 0 and less than 1. */
  next(): number;
  /** A whole number, at least 0 and less than `limit`. */
  below(limit: number): number;
  isLucky(probability: number): boolean;
  /** One of them; throws when there is none. */
  pick<Item>(items: readonly Item[]): Item;
  /** Chance of its own, which draws from this one change nothing of. */
  fork(): Random;
}

/** Mulberry32: small, quick, and the same everywhere. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    isLucky: (probability) => next() < probability,
    pick(items) {
      const index = below(items.length);
      if (index >= items.length) throw new Error('nothing to pick from');
      return items[index] as (typeof items)[number];
    },
    fork: () => seeded(below(2 ** 32)),
  };
}
