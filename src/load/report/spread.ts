/** One figure of several runs: the middle, and between what the runs lay. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
}

/** The spread of the values; undefined without any. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return undefined;
  return { median: middleOf(sorted), least, most, runs: sorted.length };
}

/**
 * The spread of `over[i] / under[i]`, pair by pair: both of a pair were measured one right after
 * the other, so that what slowed the machine down slowed down both. Undefined below two pairs,
 * because a ratio without its spread says nothing.
 */
export function ratiosOf(over: readonly number[], under: readonly number[]): Spread | undefined {
  const pairs = over.slice(0, under.length).map((value, index) => value / (under[index] ?? Number.NaN));
  const spread = spreadOf(pairs);
  return spread === undefined || spread.runs < 2 ? undefined : spread;
}

/** The middle of sorted values, or the mean of the two in the middle. */
function middleOf(sorted: readonly number[]): number {
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}
