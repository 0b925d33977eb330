import { ratiosOf, type Spread, spreadOf } from '../src/load/report/spread.ts';
import type { Column, Measure, Target, Unit, Values } from './scenario.ts';

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

/**
 * One figure of every sample: medians and spreads, and ours against each other, round by round.
 * What is not a number is left out, with its pair.
 */
export function measured<Sample>(
  what: string,
  unit: Unit,
  samples: Samples<Sample>,
  of: (sample: Sample) => number,
): Measure {
  const figures = new Map([...samples].map(([name, each]) => [name, each.map(of)]));
  const ours = figures.get('quayside') ?? [];
  const spreads = [...figures].flatMap(([name, values]) => named(name, spreadOf(values)));
  const ratios = [...figures].flatMap(([name, values]) =>
    name === 'quayside' || unit === 'errors' ? [] : named(name, ratiosOf(ours, values)),
  );
  return {
    what,
    unit,
    values: Object.fromEntries(spreads.map(([name, { median: middle }]) => [name, middle])),
    spreads: Object.fromEntries(spreads),
    ratios: Object.fromEntries(ratios),
  };
}

/**
 * A target for ours against another one of the same measure. It has no value where there are no two
 * pairs, because a ratio without its spread says nothing.
 */
export function against(
  measure: Measure,
  peer: Column,
  { sense, bound, what }: Pick<Target, 'sense' | 'bound'> & { readonly what?: string },
): Target {
  const spread = measure.ratios?.[peer];
  return {
    what: what ?? `${measure.what}: × ${peer}`,
    value: spread?.median,
    ...(spread === undefined ? {} : { spread }),
    sense,
    bound,
    unit: '×',
  };
}

/** One figure of every sample, as the median of the rounds. */
export function medians<Sample>(samples: Samples<Sample>, of: (sample: Sample) => number): Values {
  return Object.fromEntries([...samples].map(([name, each]) => [name, median(each.map(of))]));
}

/** The middle of the values; throws when there are none. */
export function median(values: readonly number[]): number {
  const spread = spreadOf(values);
  if (spread === undefined) throw new Error('nothing was measured');
  return spread.median;
}

function named(name: Column, spread: Spread | undefined): readonly (readonly [Column, Spread])[] {
  return spread === undefined ? [] : [[name, spread]];
}
