/**
 * The shares of scarce slots. The first half is open to every client. Of the second half one
 * address, and one subject, has at most four fifths, so that others find a slot at once.
 */
interface Shares {
  /** Whether these may have one more while so many are taken. */
  mayTake(taken: number, address: string, subject: string): boolean;
  /** Counts one more, if it is one of the scarce ones: then it is to be given back. */
  take(taken: number, address: string, subject: string): boolean;
  giveBack(address: string, subject: string): void;
}

/** Shares of so many slots. An empty address or subject has no bound. */
export function createShares(slots: number): Shares {
  const plenty = Math.floor(slots / 2);
  const scarce = slots - plenty;
  const most = scarce - Math.floor(scarce / 5);
  const held = new Map<string, number>();

  const hasRoom = (key: string): boolean => (held.get(key) ?? 0) < most;

  function add(key: string, change: 1 | -1): void {
    const count = (held.get(key) ?? 0) + change;
    if (count > 0) held.set(key, count);
    else held.delete(key);
  }

  const keysOf = (address: string, subject: string): readonly string[] => [
    ...(address === '' ? [] : [`address ${address}`]),
    ...(subject === '' ? [] : [`subject ${subject}`]),
  ];

  return {
    mayTake: (taken, address, subject) => taken < plenty || keysOf(address, subject).every(hasRoom),
    take(taken, address, subject) {
      if (slots === 0 || taken < plenty) return false;
      for (const key of keysOf(address, subject)) add(key, 1);
      return true;
    },
    giveBack(address, subject) {
      for (const key of keysOf(address, subject)) add(key, -1);
    },
  };
}
