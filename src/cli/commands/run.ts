import { scrubbed } from '../../base/text/redaction.ts';
import { ConfigError } from '../../config/faults.ts';
import { didYouMean, UsageError } from '../flags/arguments.ts';
import type { Io, Output } from '../flags/io.ts';
import type { Command } from './command.ts';
import { commands } from './commands.ts';

/** Runs the command that `args` (without the program's name) name. Resolves to the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const [first] = args;
  if (first === undefined) return said(io.stderr, programHelp(), 2);
  if (first === '--version' || first === '-V') return run(['version', ...args.slice(1)], io);
  if (first === 'help') return run([...args.slice(1), '--help'], io);
  const command = commands.find(({ name }) => args.slice(0, wordsOf(name)).join(' ') === name);
  if (command === undefined) return runNothing(args, io);
  const rest = args.slice(wordsOf(command.name));
  if (wantsHelp(rest)) return said(io.stdout, commandHelp(command));
  try {
    return await command.run(rest, io);
  } catch (error) {
    return said(io.stderr, ...complaint(error, command));
  }
}

function runNothing(args: readonly string[], io: Io): number {
  const given = args.filter((word) => !word.startsWith('-')).slice(0, 2);
  const isGroup = given.length === 0 || commands.some(({ name }) => name.startsWith(`${given[0]} `));
  if (wantsHelp(args) && isGroup) return said(io.stdout, groupHelp(given[0]));
  const names = commands.map(({ name }) => name);
  const word = isGroup ? given.join(' ') || String(args[0]) : String(given[0]);
  const kind = word.startsWith('-') ? 'option' : 'command';
  return said(
    io.stderr,
    `quayside: unknown ${kind} ${word}${didYouMean(word, names)}\nSee quayside --help\n`,
    2,
  );
}

/** The text of a failure for the user, and the exit code: mostly 2 if the user can fix it. */
function complaint(error: unknown, { name, mistakeCode = 2 }: Command): [text: string, code: number] {
  if (error instanceof UsageError)
    return [`quayside ${name}: ${error.message}\nSee quayside ${name} --help\n`, mistakeCode];
  if (error instanceof ConfigError) return [`${error.message}\n`, 2];
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [`quayside ${name}: ${scrubbed(text)}\n`, 1];
}

function programHelp(): string {
  return `Usage: quayside COMMAND [OPTION]...

A proxy, pull-through cache and mirror of container images, between clients and registries.

${listed(commands)}

See quayside COMMAND --help.
`;
}

/** The commands that begin with a word; all of them without one. */
function groupHelp(word: string | undefined): string {
  if (word === undefined) return programHelp();
  return `Usage: quayside ${word} COMMAND [OPTION]...\n\n${listed(groupOf(word))}\n\nSee quayside ${word} COMMAND --help.\n`;
}

function commandHelp({ name, usage, summary, help }: Command): string {
  const others = groupOf(name);
  const more = others.length === 0 ? '' : `\nCommands of its own:\n\n${listed(others)}\n`;
  return `Usage: ${`quayside ${name} ${usage}`.trimEnd()}\n\nTo ${summary}.\n\n${help}\n${more}`;
}

function groupOf(word: string): readonly Command[] {
  return commands.filter(({ name }) => name.startsWith(`${word} `));
}

function listed(of: readonly Command[]): string {
  const width = Math.max(...of.map(({ name }) => name.length));
  return of.map(({ name, summary }) => `  ${name.padEnd(width)}   ${summary}`).join('\n');
}

function wantsHelp(args: readonly string[]): boolean {
  return args.includes('--help') || args.includes('-h');
}

function wordsOf(name: string): number {
  return name.split(' ').length;
}

function said(output: Output, text: string, code = 0): number {
  output.write(text);
  return code;
}
