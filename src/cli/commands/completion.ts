import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Run } from '../flags/io.ts';
import type { DescribedCommand } from '../flags/page.ts';
import { bashCompletion } from '../help/bash.ts';
import { fishCompletion } from '../help/fish.ts';
import { zshCompletion } from '../help/zsh.ts';
import { shells } from '../pages/config.ts';
import { type Command, described } from './command.ts';

const scripts: Readonly<Record<(typeof shells)[number], (commands: readonly DescribedCommand[]) => string>> =
  { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** `quayside completion SHELL`: see its help. */
export function completing(commands: readonly Command[]): Run {
  return async (args, io) => {
    const { words } = parseFlags({}, args);
    const [word = '', ...others] = words;
    const shell = shells.find((each) => each === word);
    if (shell === undefined || others.length > 0)
      throw new UsageError(`takes one of ${shells.join(', ')}, the shell that is to complete`);
    io.stdout.write(scripts[shell](await Promise.all(commands.map(described))));
    return 0;
  };
}
