/** What is made of the table of commands: a page of the reference, and the manual page. */
import manifest from '../../package.json' with { type: 'json' };
import { described } from '../../src/cli/commands/command.ts';
import { commands } from '../../src/cli/commands/commands.ts';
import { manualPage } from '../../src/cli/help/man.ts';
import { commandReference } from '../../src/cli/help/reference.ts';

export async function commandPages(): Promise<{ readonly reference: string; readonly manual: string }> {
  const all = await Promise.all(commands.map(described));
  return { reference: commandReference(all), manual: manualPage(all, manifest.version) };
}
