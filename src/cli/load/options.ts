import { field, isText } from '../../base/text/json.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../flags/flag-table.ts';
import { loadFlags } from '../pages/load.ts';

/** What a command line of `quayside load` asks for. */
export type LoadFlags = FlagValues<typeof loadFlags>;

/** Reads the command line. Throws `UsageError`. */
export function parseLoadFlags(args: readonly string[]): LoadFlags {
  const { values, words } = parseFlags(loadFlags, args);
  if (words[0] !== undefined)
    throw new UsageError(`takes no argument ${words[0]}; name the target by --target`);
  if (values.target === undefined && values.seed === undefined)
    throw new UsageError('needs --target URL, the registry or cache to load, or --seed URL');
  if (values.front !== undefined && values.metrics !== undefined)
    throw new UsageError('takes --front or --metrics, not both');
  if (values.moves !== undefined && values.seed === undefined)
    throw new UsageError('--moves needs --seed URL, the registry where tags are moved');
  if (values.trace !== undefined && values['find-knee'] === true)
    throw new UsageError('--find-knee raises a rate, and a trace has its own: leave out --trace');
  if (values['knee-factor'] <= 1) throw new UsageError('--knee-factor must be more than 1');
  if (values.shared > 1) throw new UsageError('--shared must be from 0 to 1');
  return values;
}

/** What the report says of them: each option that has a value, but no secrets and no paths. */
export function settingsOf(values: LoadFlags): Readonly<Record<string, string | number | boolean>> {
  const entries = Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || /file$|^ca$|^output$|^title$|^trace$/.test(name)) return [];
    if (Array.isArray(value) && value.length === 0) return [];
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    return [[name, isPlain ? value : textOf(value)] as const];
  });
  return Object.fromEntries(entries);
}

/** As it may be written: `4-12`, `p0=1000,p100=300000`. */
function textOf(value: unknown): string {
  if (!Array.isArray(value)) return String(value);
  const [least, most] = value as readonly unknown[];
  if (typeof least === 'number') return least === most ? `${least}` : `${least}-${most}`;
  return value
    .map((item: unknown) => (isText(item) ? item : `p${field(item, 'percent')}=${field(item, 'bytes')}`))
    .join(',');
}
