// Room `cli/flags`: how every command reads flags and touches its process. In: words. Out: values,
// or a UsageError. Imports: every room below.

import { Command, CommanderError, Option } from 'commander';
import { didYouMean, UsageError } from './arguments.ts';

/** One flag: what stands behind it, what that means, and what the help says of it. */
export interface Flag {
  /** Its one letter, behind one dash. */
  readonly short?: string;
  /** The word alone means `true`. */
  readonly isSwitch?: true;
  /** It may be given several times, and means a list. Else the last one counts. */
  readonly isList?: true;
  /** As one would write it. */
  readonly default?: string;
  /** The value of one text. Throws an Error that says what is accepted. Default: the text. */
  readonly read?: (text: string) => unknown;
  /** What its value is called. A shell completes paths behind FILE and DIR. Default: VALUE. */
  readonly value?: string;
  /** The words that it takes, for completion. Default: those of `value`, where it has a `|`. */
  readonly words?: readonly string[];
  /** What it does, for people. A flag without it is accepted, and no help shows it. */
  readonly help?: string;
  /** The heading of the help below which it stands. Default: Options. */
  readonly group?: string;
}

export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { readonly read: (text: string) => infer Value } ? Value : string;

/** The values of a table's flags: undefined for one that was not given and has no default. */
export type FlagValues<T extends FlagTable> = {
  readonly [Name in keyof T]: T[Name] extends { readonly isList: true }
    ? readonly ValueOf<T[Name]>[]
    : ValueOf<T[Name]> | (T[Name] extends { readonly default: string } ? never : undefined);
};

/** A command line, split: the flags without dashes, each with its texts in order, and the words. */
interface WrittenFlags {
  readonly written: ReadonlyMap<string, readonly string[]>;
  readonly words: readonly string[];
}

/** Reads a command line. Throws `UsageError` for an unknown flag, and for an invalid text. */
export function parseFlags<T extends FlagTable>(
  table: T,
  args: readonly string[],
): { readonly values: FlagValues<T>; readonly words: readonly string[] } {
  const { written, words } = readFlags(table, args);
  const values = Object.entries(table).map(([name, flag]) => {
    const texts = written.get(name) ?? (flag.default === undefined ? [] : [flag.default]);
    try {
      return [name, flagValue(flag, texts)];
    } catch (error) {
      throw new UsageError(`--${name} ${error instanceof Error ? error.message : texts.join()}`, {
        cause: error,
      });
    }
  });
  return { values: Object.fromEntries(values), words };
}

/**
 * Splits a command line: a flag's value follows `=` or is the next word. Throws `UsageError` for an
 * unknown flag, a flag without its value, and another flag in its place.
 */
export function readFlags(table: FlagTable, args: readonly string[]): WrittenFlags {
  const written = new Map<string, readonly string[]>();
  const command = new Command()
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  for (const [name, { short, value = 'VALUE' }] of Object.entries(table)) {
    command.addOption(new Option(`${short === undefined ? '' : `-${short}, `}--${name} <${value}>`));
    command.on(`option:${name}`, (text: string) => written.set(name, [...(written.get(name) ?? []), text]));
  }
  const letters = new Map(
    Object.entries(table).flatMap(([name, { short }]) => (short === undefined ? [] : [[short, name]])),
  );
  const completedArgs = args.map((word) => completed(word, table, letters));
  refuseSwallowed(completedArgs, table);
  const { operands, unknown } = split(command, completedArgs);
  const [first] = unknown;
  if (first === undefined) return { written, words: operands };
  const [name = first] = first.split('=', 1);
  const shown = Object.entries(table).flatMap(([known, { help }]) =>
    help === undefined ? [] : `--${known}`,
  );
  throw new UsageError(`unknown option ${name}${didYouMean(name, shown)}`);
}

function split(command: Command, args: readonly string[]): ReturnType<Command['parseOptions']> {
  try {
    return command.parseOptions([...args]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new UsageError(error.message.replace(/^error: /, ''), { cause: error });
  }
}

/** `--config --dry-run` would read the settings from a file of that name, and change something. */
function refuseSwallowed(args: readonly string[], table: FlagTable): void {
  const end = args.indexOf('--');
  const flags = end === -1 ? args : args.slice(0, end);
  for (const [index, word] of flags.entries()) {
    const value = table[word.slice(2)]?.value ?? 'a value';
    const next = flags[index + 1] ?? '';
    const [nextName = ''] = next.slice(2).split('=', 1);
    if (!word.startsWith('--') || !Object.hasOwn(table, word.slice(2))) continue;
    if (next.startsWith('--') && Object.hasOwn(table, nextName))
      throw new UsageError(`${word} needs ${value}, and --${nextName} is an option of its own`);
  }
}

/** What the texts mean: of a list all, else the last; undefined without texts. */
export function flagValue(
  { isList, read = (text: string) => text }: Flag,
  texts: readonly string[],
): unknown {
  const values = texts.map((text) => read(text));
  return isList === true ? values : values.at(-1);
}

/** `--force` is `--force=true`, also by its letter, and `-f=FILE` is `-fFILE`. */
function completed(word: string, table: FlagTable, letters: ReadonlyMap<string, string>): string {
  if (word.startsWith('--')) return table[word.slice(2)]?.isSwitch === true ? `${word}=true` : word;
  const name = word.startsWith('-') ? letters.get(word[1] ?? '') : undefined;
  if (name === undefined) return word;
  if (word.length === 2 && table[name]?.isSwitch === true) return `--${name}=true`;
  return word[2] === '=' ? `${word.slice(0, 2)}${word.slice(3)}` : word;
}
