import type { Column, Values } from './scenario.ts';

/** What was measured on each of those who took part, once a round. */
export type Samples<Sample> = ReadonlyMap<Column, readonly Sample[]>;

/** A server to be measured; `measure` resolves to undefined when it could not take part. */
export interface Contender<Sample> {
  readonly name: Column;
  readonly measure: () => Promise<Sample | undefined>;
}

/**
 * Measures all servers in turn, `rounds` times over, so that a slow minute of the machine hits all
 * of them alike.
 */
export async function inTurn<Sample>(
  rounds: number,
  contenders: readonly Contender<Sample>[],
): Promise<Samples<Sample>> {
  const samples = new Map<Column, Sample[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, measure } of contenders) {
      const sample = await measure();
      if (sample !== undefined) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  return samples;
}

/** One figure of every sample, as the median of the rounds. */
export function medians<Sample>(samples: Samples<Sample>, of: (sample: Sample) => number): Values {
  return Object.fromEntries([...samples].map(([name, each]) => [name, median(each.map(of))]));
}

/** The middle of the values, or the mean of the two in the middle; throws when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('nothing was measured');
  return (lower + upper) / 2;
}
