import { nearest } from '../../base/text/nearest.ts';

/** A command line that means nothing. Its message says what would. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** ` (did you mean …?)` or nothing. */
export function didYouMean(word: string, words: readonly string[]): string {
  const meant = nearest(word, words);
  return meant === undefined ? '' : ` (did you mean ${meant}?)`;
}

/** Refuses words that no flag takes. Throws `UsageError`; the hint says what was perhaps meant. */
export function refuseWords([word]: readonly string[], hint = ''): void {
  if (word !== undefined) throw new UsageError(`takes no argument ${word}${hint}`);
}
