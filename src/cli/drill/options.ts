import { drills } from '../../drill/table/table.ts';
import { refuseWords, UsageError } from '../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../flags/flag-table.ts';
import { drillFlags } from '../pages/drill.ts';

/** What a command line of `quayside drill` asks for. */
export type DrillFlags = FlagValues<typeof drillFlags>;

/** Reads the command line. Throws `UsageError`. */
export function parseDrillFlags(args: readonly string[]): DrillFlags {
  const { values, words } = parseFlags(drillFlags, args);
  refuseWords(words);
  const unknown = values.only.find(
    (only) => !drills.some(({ name, layer }) => only === name || only === layer),
  );
  if (unknown !== undefined)
    throw new UsageError(`--only ${unknown}: there is no such drill and no such layer; --list prints them`);
  if (!/^(?:text|json)$|\.json$/.test(values.output))
    throw new UsageError(`--output must be text, json or FILE.json, not ${values.output}`);
  return values;
}
