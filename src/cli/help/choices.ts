import type { FlagTable } from '../flags/flag-table.ts';
import { listedFlags } from './flag-text.ts';

/** What a shell completes behind a flag; `none` stands behind a switch, `any` is anything. */
export type ValueKind = 'none' | 'any' | 'file' | 'dir' | 'words';

/** A flag, as a shell completes it. */
interface FlagChoice {
  /** `--output`, and `-o` where it has a letter. */
  readonly forms: readonly string[];
  readonly name: string;
  readonly short: string | undefined;
  readonly value: string | undefined;
  readonly kind: ValueKind;
  /** Of the kind `words`. */
  readonly words: readonly string[];
  /** The first clause of its help: lists have one line for it. */
  readonly clause: string;
}

export function flagChoices(flags: FlagTable): readonly FlagChoice[] {
  return listedFlags(flags).map(({ name, short, value, words, help }) => {
    const letter = short === undefined ? [] : [`-${short}`];
    const [clause = ''] = help.split(/[;:.](?:\s|$)/, 1);
    return {
      forms: [`--${name}`, ...letter],
      ...{ name, short, value, words, clause },
      kind: kindOf(value, words),
    };
  });
}

function kindOf(value: string | undefined, words: readonly string[]): ValueKind {
  if (value === undefined) return 'none';
  if (words.length > 0 && !value.includes('FILE')) return 'words';
  if (value === 'DIR') return 'dir';
  return value.includes('FILE') ? 'file' : 'any';
}

/** The words that may follow each word that begins several commands. */
export function groupsOf(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const [group = '', word] = name.split(' ');
    if (word !== undefined) groups.set(group, [...(groups.get(group) ?? []), word]);
  }
  return groups;
}
