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

/** The options of commands that ask a running server. */
export const adminHelp = `  --config FILE      the settings of that server, YAML, for the address of its admin listener; default 127.0.0.1:8401
  --admin URL        the admin listener, such as http://127.0.0.1:8401
  --token-file FILE  a file whose first token to send; default: admin.tokenFile of --config. Over loopback none is needed`;
