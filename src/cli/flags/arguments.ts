import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../../base/text/nearest.ts';

/** A command line that means nothing. Its message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** The options and words of a command's arguments; throws `UsageError` with a suggestion. */
export function parsed<T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(complaint(error, options), { cause: error });
  }
}

/** ` (did you mean …?)` or nothing. */
export function didYouMean(word: string, words: readonly string[]): string {
  const meant = nearest(word, words);
  return meant === undefined ? '' : ` (did you mean ${meant}?)`;
}

function complaint(error: unknown, options: Options): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, unknown] = /^Unknown option '(-[^']*)'/.exec(message) ?? [];
  if (unknown === undefined) return message.split(/\.? To specify |\n/, 1)[0] ?? '';
  const known = Object.keys(options).map((name) => `--${name}`);
  return `unknown option ${unknown}${didYouMean(unknown, known)}`;
}
