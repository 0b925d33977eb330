/** What is remembered for a while by its key, so that what was just said or done is not asked or done again. */
export interface Remembered<Value> {
  get(key: string): Value | undefined;
  /** From now on, anew if it was remembered before. */
  set(key: string, value: Value): void;
  delete(key: string): void;
}

export interface RememberedOptions {
  /** For how long, milliseconds. */
  readonly keepMs: number;
  /** Keys at most; the oldest give way. */
  readonly maxEntries: number;
  /** Milliseconds since any fixed moment. */
  readonly now: () => number;
}

/** Nothing yet. All is kept for the same time, so the order of insertion is the order in which it goes. */
export function remembered<Value>({ keepMs, maxEntries, now }: RememberedOptions): Remembered<Value> {
  const entries = new Map<string, { readonly value: Value; readonly endsAt: number }>();

  function dropOld(): void {
    for (const [key, { endsAt }] of entries) {
      if (endsAt > now() && entries.size <= maxEntries) return;
      entries.delete(key);
    }
  }

  return {
    get(key) {
      const entry = entries.get(key);
      return entry !== undefined && entry.endsAt > now() ? entry.value : undefined;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, { value, endsAt: now() + keepMs });
      dropOld();
    },
    delete: (key) => void entries.delete(key),
  };
}
