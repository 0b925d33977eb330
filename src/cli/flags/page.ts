import type { FlagTable } from './flag-table.ts';

/**
 * All that is said of a command: the one table that its parser, `--help`, the completion of shells,
 * the manual page and the reference are made of. Paragraphs are parted by an empty line.
 */
export interface CommandPage {
  /** What stands before the options: what the words of the command line mean. */
  readonly about?: string;
  readonly flags: FlagTable;
  /** What stands behind the options. Lines that begin with a blank keep their form. */
  readonly notes?: string;
  /** Command lines to copy, in order. One that continues has a `\` at its end, as in a shell. */
  readonly examples?: readonly string[];
  /** How it ends: `Exits with 0 when …`. */
  readonly exits?: string;
  /** The words that may follow the name, for completion. Default: files. */
  readonly words?: readonly string[];
}

/** A command in the list of all. */
export interface CommandTitle {
  /** The words that call it. */
  readonly name: string;
  /** One clause for the list of commands. */
  readonly summary: string;
  /** What follows the name. */
  readonly usage: string;
}

/** A command with all that is said of it. */
export interface DescribedCommand extends CommandTitle {
  readonly page: CommandPage;
}
