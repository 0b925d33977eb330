// Room `cli/flags`: how every command reads flags and touches its process. In: words. Out: values,
// or a UsageError. Imports: every room below.

import { parsed, UsageError } from './arguments.ts';

/** One flag: what stands behind it, and what that means. */
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
}

export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends { readonly read: (text: string) => infer Value } ? Value : string;

/** The values of a table's flags: undefined for one that was not given and has no default. */
type FlagValues<T extends FlagTable> = {
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

/** Splits a command line: a flag's value follows `=` or is the next word. Throws `UsageError`. */
export function readFlags(table: FlagTable, args: readonly string[]): WrittenFlags {
  const options = Object.entries(table).map(([name, { short }]) => {
    return [name, { type: 'string', multiple: true, ...(short === undefined ? {} : { short }) }] as const;
  });
  const letters = options.map(([, { short = '' }]) => short).join('');
  const { values, positionals } = parsed(
    args.map((word) => completed(word, table, letters)),
    Object.fromEntries(options),
  );
  const written = Object.entries(values).flatMap(([name, texts = []]) => [[name, texts] as const]);
  return { written: new Map(written), words: positionals };
}

/** What the texts mean: of a list all, else the last; undefined without texts. */
export function flagValue(
  { isList, read = (text: string) => text }: Flag,
  texts: readonly string[],
): unknown {
  const values = texts.map((text) => read(text));
  return isList === true ? values : values.at(-1);
}

/** `true` or `false`, as Go reads them. */
export function parseBoolean(text: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new Error(`must be true or false, not ${text}`);
}

/** `--force` is `--force=true`, and `-f=FILE` is `-fFILE`. */
function completed(word: string, table: FlagTable, letters: string): string {
  if (word.startsWith('--')) return table[word.slice(2)]?.isSwitch === true ? `${word}=true` : word;
  const isShort = word.startsWith('-') && word[2] === '=' && letters.includes(word[1] ?? '-');
  return isShort ? `${word.slice(0, 2)}${word.slice(3)}` : word;
}
