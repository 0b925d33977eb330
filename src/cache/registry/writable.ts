interface WritableOptions {
  /** Whether the store takes a small write now. */
  readonly isUsable: () => Promise<boolean>;
  /** How long a yes is believed, milliseconds. Default 5,000. */
  readonly yesMs?: number;
  /** How long a no is remembered, ms: until other replicas retry their writes. Default 70,000. */
  readonly noMs?: number;
  /** Milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/** Whether replicas can write their records and so share knowledge. One shared probe. */
export function createWritable(options: WritableOptions): () => Promise<boolean> {
  const { isUsable, yesMs = 5_000, noMs = 70_000, now = () => performance.now() } = options;
  let asked: Promise<boolean> | undefined;
  let believedUntil = 0;

  async function ask(): Promise<boolean> {
    believedUntil = Number.POSITIVE_INFINITY;
    const answer = await isUsable();
    believedUntil = now() + (answer ? yesMs : noMs);
    return answer;
  }

  return () => {
    if (asked === undefined || now() >= believedUntil) asked = ask();
    return asked;
  };
}
