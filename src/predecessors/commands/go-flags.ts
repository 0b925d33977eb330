import { type Flag, flagValue, readFlags } from '../../cli/flags/flag-table.ts';
import { parseBoolean } from '../../cli/flags/values.ts';
import type { FaultPath } from '../../config/faults.ts';

/** One flag of a program that we stand in for, or one that we have beside them. */
interface GoFlag extends Flag {
  /** Its default by the environment. */
  readonly ambient?: string;
  /** It has no default, and nothing can be served without it. */
  readonly isRequired?: true;
  /** The settings that it decides. None: it is accepted and has nothing left to decide. */
  readonly places: readonly FaultPath[];
}

export type GoFlagTable = Readonly<Record<string, GoFlag>>;

/** One setting that a flag decides. */
export interface Decided {
  readonly flag: string;
  readonly place: FaultPath;
  readonly value: unknown;
}

/** Something that is wrong with a flag, in one clause that follows its name. */
export interface Complaint {
  readonly flag: string;
  readonly message: string;
}

/** What a command line means. */
export interface GoFlags {
  /** By flags that were given. */
  readonly given: readonly Decided[];
  /** By flags that were not, and have a default. */
  readonly assumed: readonly Decided[];
  readonly complaints: readonly Complaint[];
  /** What was given, as it was written: the flags without dashes, each with its texts in order. */
  readonly written: ReadonlyMap<string, readonly string[]>;
}

/** The flag with a default of the environment, where that has one: it counts less than a file. */
export function ambient(flag: GoFlag, text: string | undefined): GoFlag {
  return text === undefined || text === '' ? flag : { ...flag, ambient: text };
}

/**
 * Reads flags as Go does: one dash or two, the last of several counts except for lists; an empty
 * optional text counts as absent. Throws `UsageError` for an unknown flag.
 */
export function parseGoFlags(table: GoFlagTable, args: readonly string[]): GoFlags {
  const { written: all, words } = readFlags(table, args.map(withTwoDashes));
  const written = new Map([...all].filter(([name, texts]) => !isLeftOut(table[name], texts)));
  const readings = Object.entries(table).map(([name, flag]) => reading(name, flag, written.get(name)));
  return {
    given: readings.flatMap(({ isGiven, decided }) => (isGiven ? decided : [])),
    assumed: readings.flatMap(({ isGiven, decided }) => (isGiven ? [] : decided)),
    complaints: [
      ...words.map((word) => ({ flag: word, message: 'is no flag' })),
      ...readings.flatMap(({ complaint }) => complaint ?? []),
    ],
    written,
  };
}

/** Whether a switch was given, and not as false. */
export function isOn({ written }: Pick<GoFlags, 'written'>, name: string): boolean {
  try {
    return parseBoolean(written.get(name)?.at(-1) ?? 'false');
  } catch {
    return false;
  }
}

interface GoFlagReading {
  readonly isGiven: boolean;
  readonly decided: readonly Decided[];
  readonly complaint?: Complaint;
}

function reading(name: string, flag: GoFlag, given: readonly string[] | undefined): GoFlagReading {
  const assumed = flag.default ?? flag.ambient;
  const texts = given ?? (assumed === undefined ? [] : [assumed]);
  const isGiven = given !== undefined;
  const refused = (message: string): GoFlagReading => ({
    isGiven,
    decided: [],
    complaint: { flag: `--${name}`, message },
  });
  if (texts.includes('') || (texts.length === 0 && flag.isRequired === true))
    return refused('must not be empty');
  if (texts.length === 0) return { isGiven, decided: [] };
  try {
    const value = flagValue(flag, texts);
    return { isGiven, decided: flag.places.map((place) => ({ flag: `--${name}`, place, value })) };
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
}

/** Go's default of a text is the empty one; types and required flags are another matter. */
function isLeftOut(flag: GoFlag | undefined, texts: readonly string[] | undefined): boolean {
  const isText = flag?.isList !== true && flag?.isSwitch !== true;
  return isText && flag?.isRequired !== true && flag?.default === undefined && texts?.at(-1) === '';
}

function withTwoDashes(word: string): string {
  return word.replace(/^-(?=[A-Za-z]{2})/, '--');
}
