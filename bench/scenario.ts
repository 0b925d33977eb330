import type { Spread } from '../src/load/report/spread.ts';
import type { Form } from './form.ts';
import type { Lab } from './lab.ts';
import type { ServerName } from './servers/server.ts';

/**
 * Who stands in a table: the servers, the upstream asked without anything between, and who else
 * copies images.
 */
export type Column = ServerName | 'upstream' | 'skopeo' | 'skopeo × 6';

export type Unit =
  | 'requests/s'
  | 'requests'
  | 'images'
  | 'MB/s'
  | 's'
  | 'ms'
  | 'µs'
  | 'MB'
  | '×'
  | 'calls'
  | 'errors';

/** One line of a table: the same thing measured on every server that took part. */
export interface Measure {
  readonly what: string;
  readonly unit: Unit;
  /** The medians of the rounds. */
  readonly values: Values;
  /** Between what the rounds lay. */
  readonly spreads?: Spreads;
  /** Ours ÷ each other one, round by round; only of two rounds or more. */
  readonly ratios?: Spreads;
}

export type Values = { readonly [column in Column]?: number };

type Spreads = { readonly [column in Column]?: Spread };

/** What was promised, and what came of it. */
export interface Target {
  readonly what: string;
  /** Undefined when a peer it needs did not start. */
  readonly value: number | undefined;
  /** Of a ratio. */
  readonly spread?: Spread;
  readonly sense: 'at least' | 'at most';
  readonly bound: number;
  readonly unit: Unit;
}

export interface Findings {
  readonly measures: readonly Measure[];
  readonly targets: readonly Target[];
  /** What the figures do not say by themselves. */
  readonly notes: readonly string[];
}

/** One question to the machine, in a file of its own. */
export interface Scenario {
  /** As it is chosen on the command line. */
  readonly name: string;
  readonly title: string;
  /** Whether it has no place in the short run of all. Default: it has. */
  readonly isLong?: boolean;
  run(lab: Lab): Promise<Findings>;
}

/** One that needs no upstream, no peers and no clients of the bench. */
export interface OwnScenario {
  readonly name: string;
  readonly title: string;
  /** Whether it has no place in the short run of all. Default: it has. */
  readonly isLong?: boolean;
  runAlone(ground: OwnGround): Promise<Findings>;
}

/** What every scenario has. */
export interface OwnGround {
  readonly form: Form;
  /** Everything is below it. */
  readonly directory: string;
  readonly say: (text: string) => void;
}

/** True when the target was measured and met. */
export function isMet({ value, sense, bound }: Target): boolean {
  return value !== undefined && (sense === 'at least' ? value >= bound : value <= bound);
}
