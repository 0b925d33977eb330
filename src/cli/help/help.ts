// Room `cli/help`: what is said of commands, in the forms that people and shells read. In: commands
// with their pages. Out: help, scripts of completion, a manual page, a reference, as text. Imports:
// every room below.

import { Command, Help, Option } from 'commander';
import type { CommandTitle, DescribedCommand } from '../flags/page.ts';
import { environment, intro, listedFlags, paragraphs } from './flag-text.ts';

/** Where a terminal says nothing of its width, or is wider than people read. */
const widestColumns = 140;

/** Names two words of a command as they are, and keeps a usage without anything behind it short. */
class CommandHelp extends Help {
  usage = 'COMMAND [OPTION]...';
  override commandUsage(command: Command): string {
    return `${command.name()} ${this.usage}`.trimEnd();
  }
  override subcommandTerm(command: Command): string {
    return command.name();
  }
}

/** What `--help` says of one command, and the list of those that begin with its name. */
export function pageHelp(
  { name, summary, usage, page }: DescribedCommand,
  group: readonly CommandTitle[],
  columns?: number,
): string {
  const help = createHelp(columns);
  const text = (title: string, lines: string | undefined) => titled(title, lines, help);
  help.usage = usage;
  const command = new Command(`quayside ${name}`)
    .description([`To ${summary}.`, ...paragraphs(page.about)].join('\n\n'))
    .helpOption('-h, --help', 'print this');
  for (const flag of listedFlags(page.flags)) {
    const option = new Option(`--${flag.name}`, flag.help);
    option.flags = flag.term;
    command.addOption(flag.group === undefined ? option : option.helpGroup(flag.group));
  }
  for (const title of group) command.addCommand(listed(title));
  const examples = page.examples?.map((line) => `  ${line}`.replaceAll('\n', '\n  ')).join('\n');
  const body = help.formatHelp(command.helpCommand(false), help).trimEnd();
  const more = [text('', page.notes), text('Examples:\n', examples), text('', page.exits)];
  return `${[body, ...more.filter((part) => part !== '')].join('\n\n')}\n`;
}

/** The list of commands: of all of them, or of those that begin with a word. */
export function groupHelp(word: string, group: readonly CommandTitle[], columns?: number): string {
  const help = createHelp(columns);
  const name = `quayside ${word}`.trimEnd();
  const command = new Command(name).helpCommand(false).helpOption(false);
  if (word === '') command.description(intro);
  for (const title of group) command.addCommand(listed(title));
  const variables = word === '' ? `\n${variablesText(help)}\n` : '';
  return `${help.formatHelp(command, help)}${variables}\nSee ${name} COMMAND --help.\n`;
}

/** In the columns of the list of commands. */
function variablesText(help: Help): string {
  const command = new Command('').helpOption(false);
  for (const [name, text] of Object.entries(environment))
    command.addCommand(new Command(name).summary(text).helpOption(false));
  const [, list = ''] = help.formatHelp(command.helpCommand(false), help).split('Commands:\n');
  return `Environment:\n${list.trimEnd()}`;
}

function createHelp(columns = widestColumns): CommandHelp {
  const help = new CommandHelp();
  help.prepareContext({ helpWidth: Math.min(columns, widestColumns) });
  return help;
}

function listed({ name, summary }: CommandTitle): Command {
  return new Command(name).summary(summary).helpOption(false);
}

function titled(title: string, text: string | undefined, help: Help): string {
  return text === undefined ? '' : `${title}${help.boxWrap(text, help.helpWidth ?? widestColumns)}`;
}
