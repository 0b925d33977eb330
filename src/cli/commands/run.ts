import { scrubbed } from '../../base/text/redaction.ts';
import { ConfigError } from '../../config/faults.ts';
import { didYouMean, UsageError } from '../flags/arguments.ts';
import type { Io, Output } from '../flags/io.ts';
import { jsonComplaints, type ToldFailure, wantsJson } from '../flags/json-complaints.ts';
import { besideProgress } from '../flags/progress.ts';
import { type Command, described } from './command.ts';
import { commands } from './commands.ts';

/** Runs the command that `args` (without the program's name) name. Resolves to the exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const [first] = args;
  if (first === undefined) return said(io.stderr, await listHelp('', io.stderr), 2);
  if (first === '--version' || first === '-V') return run(['version', ...args.slice(1)], io);
  if (first === 'help') return run([...args.slice(1), '--help'], io);
  const command = commands.find(({ name }) => args.slice(0, wordsOf(name)).join(' ') === name);
  if (command === undefined) return runNothing(args, io);
  const rest = args.slice(wordsOf(command.name));
  if (wantsHelp(rest)) return said(io.stdout, await commandHelp(command, io.stdout));
  const json = wantsJson(rest) ? jsonComplaints(io.stderr, command.name) : undefined;
  try {
    return await command.run(rest, besideProgress(json === undefined ? io : { ...io, stderr: json }));
  } catch (error) {
    const { code, ...complaint } = complaintOf(error, command);
    if (json === undefined) io.stderr.write(complaintText(complaint, command));
    else json.complain(complaint);
    return code;
  }
}

async function runNothing(args: readonly string[], io: Io): Promise<number> {
  const given = args.filter((word) => !word.startsWith('-')).slice(0, 2);
  const isGroup = given.length === 0 || commands.some(({ name }) => name.startsWith(`${given[0]} `));
  if (wantsHelp(args) && isGroup) return said(io.stdout, await listHelp(given[0] ?? '', io.stdout));
  const names = commands.map(({ name }) => name);
  const word = isGroup ? given.join(' ') || String(args[0]) : String(given[0]);
  const kind = word.startsWith('-') ? 'option' : 'command';
  const message = `unknown ${kind} ${word}${didYouMean(word, names)}`;
  const group = given.length > 0 && isGroup ? `quayside ${given[0]} --help` : 'quayside --help';
  if (!wantsJson(args)) return said(io.stderr, `quayside: ${message}\nSee ${group}\n`, 2);
  jsonComplaints(io.stderr, '').complain({ message, see: group });
  return 2;
}

/** What a failure says to the user, and the exit code: mostly 2 if the user can fix it. */
function complaintOf(error: unknown, { name, mistakeCode = 2 }: Command): ToldFailure & { code: number } {
  if (error instanceof UsageError)
    return { message: error.message, see: `quayside ${name} --help`, code: mistakeCode };
  if (error instanceof ConfigError) {
    const { message, fileName, faults } = error;
    const located = faults.map(({ path, file = fileName, ...fault }) => ({ file, setting: path, ...fault }));
    return { message, faults: located, code: 2 };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { message: scrubbed(text), code: 1 };
}

function complaintText({ message, see, faults }: ToldFailure, { name }: Command): string {
  if (faults !== undefined) return `${message}\n`;
  return `quayside ${name}: ${message}\n${see === undefined ? '' : `See ${see}\n`}`;
}

async function commandHelp(command: Command, output: Output): Promise<string> {
  const { pageHelp } = await import('../help/help.ts');
  return pageHelp(await described(command), groupOf(command.name), output.columns);
}

/** The commands that begin with a word; all of them without one. */
async function listHelp(word: string, output: Output): Promise<string> {
  const { groupHelp } = await import('../help/help.ts');
  return groupHelp(word, word === '' ? commands : groupOf(word), output.columns);
}

function groupOf(word: string): readonly Command[] {
  return commands.filter(({ name }) => name.startsWith(`${word} `));
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
