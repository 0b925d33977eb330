import type { Stage } from '../support/program.ts';
import type { ProgramName } from './programs.ts';

/**
 * Facts about Quayside among real programs, told in order: a later one may build on what an earlier
 * one left.
 */
export interface Scenario {
  readonly name: string;
  /** What it cannot be played without. */
  readonly needs: readonly ProgramName[];
  /**
   * Then everything it started is ended and the scenario has failed. Milliseconds, default 180,000.
   */
  readonly limitMs?: number;
  /** Played where it is named, and with --long. Default: always. */
  readonly isLong?: true;
  play(scene: Scene): Promise<void>;
}

/** What a scenario gets to work with. */
export interface Scene {
  /** Where its programs run; closed when the scenario is over, by whatever way. */
  readonly stage: Stage;
  /** Whether everything is as large, and lasts as long, as at a user's. */
  readonly isLong: boolean;
  /** Whether pictures for the documents are taken on the way. */
  readonly takesPictures: boolean;
  /** The absolute path of a program it needs. */
  path(program: ProgramName): string;
  /**
   * One fact: printed and counted as passed when `check` resolves. Never throws, so that the next
   * one is told too.
   */
  fact(name: string, check: () => Promise<unknown> | unknown): Promise<void>;
}
