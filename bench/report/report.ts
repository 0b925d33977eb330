import type { FormName } from '../form.ts';
import type { Findings } from '../scenario.ts';
import type { Machine } from './machine.ts';

export interface Section extends Findings {
  readonly name: string;
  readonly title: string;
  /** Why there are no figures, when the scenario failed. */
  readonly failure?: string;
  readonly seconds: number;
  /** When, on which commit and beside what it was measured. */
  readonly startedAt: string;
  readonly commit: string;
  /** The load of the minute before. */
  readonly loadBefore: number;
}

/** One run of the bench. */
export interface Report {
  readonly startedAt: string;
  readonly form: FormName;
  readonly seconds: number;
  readonly machine: Machine;
  readonly sections: readonly Section[];
  /** Servers that could not take part, and why. */
  readonly absent: Readonly<Record<string, string>>;
}
