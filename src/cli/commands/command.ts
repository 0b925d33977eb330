import type { Run } from '../flags/io.ts';

/** One thing that `quayside` can do. */
export interface Command {
  /** The words that call it. */
  readonly name: string;
  /** One clause for the list of commands. */
  readonly summary: string;
  /** What follows the name. */
  readonly usage: string;
  /** What `--help` says below the usage. */
  readonly help: string;
  /** What a mistake in its command line ends with. Default 2. */
  readonly mistakeCode?: number;
  /** Loads the command and runs it: `version` does not load a server's libraries. */
  readonly run: Run;
}
