import { type Fields, isObject } from '../../base/text/json.ts';
import type { FaultPath } from '../../config/faults.ts';
import type { Decided } from './go-flags.ts';

/** Exclusive forms of a section: a file's `store.filesystem` replaces a `store.memory`. */
const choices = new Set(['store', 'credentials', 'robots']);

/** The settings of flags, file, and fixed behaviour (`always`): a given flag wins. */
export function flagSettings(
  { given, assumed }: { readonly given: readonly Decided[]; readonly assumed: readonly Decided[] },
  file: Fields,
  always: Fields,
): Fields {
  return [settingsOf(assumed), file, settingsOf(given)].reduce(over, always);
}

function settingsOf(decided: readonly Decided[]): Fields {
  return decided.map(({ place, value }) => nested(place, value)).reduce(beside, {});
}

function nested([key, ...rest]: FaultPath, value: unknown): Fields {
  return { [String(key)]: rest.length === 0 ? value : nested(rest, value) };
}

function beside(settings: Fields, more: Fields): Fields {
  return merged(settings, more, () => false);
}

function over(settings: Fields, more: Fields): Fields {
  return merged(settings, more, (key) => choices.has(key));
}

/** Sections are joined key by key; all else, lists too, is replaced. */
function merged(under: Fields, upper: Fields, isReplaced: (key: string) => boolean): Fields {
  const joined = Object.entries(upper).map(([key, value]): [string, unknown] => {
    const below = under[key];
    const isJoined = isObject(below) && isObject(value) && !isReplaced(key);
    return [key, isJoined ? merged(below, value, isReplaced) : value];
  });
  return { ...under, ...Object.fromEntries(joined) };
}
