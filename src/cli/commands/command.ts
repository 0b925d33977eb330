import type { Run } from '../flags/io.ts';
import type { CommandPage, CommandTitle, DescribedCommand } from '../flags/page.ts';

/** One thing that `quayside` can do. */
export interface Command extends CommandTitle {
  /** What a mistake in its command line ends with. Default 2. */
  readonly mistakeCode?: number;
  /** Loads what is said of it, without the libraries that it works with. */
  readonly page: () => Promise<CommandPage>;
  /** Loads the command and runs it: `version` does not load a server's libraries. */
  readonly run: Run;
}

/** The command with its page. */
export async function described({ name, summary, usage, page }: Command): Promise<DescribedCommand> {
  return { name, summary, usage, page: await page() };
}
