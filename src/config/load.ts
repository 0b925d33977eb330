import { Settings as TypeboxSettings } from 'typebox/system';
import { DecodeUnsafe, Value } from 'typebox/value';
import { contradictions } from './checks.ts';
import type { Config } from './config.ts';
import { located, parseConfigDocument } from './document.ts';
import { ConfigError, type ConfigRefusal, type Contradiction, type FaultPath, isWithin } from './faults.ts';
import { prune } from './prune.ts';
import { resolved } from './resolve.ts';
import { type Settings, settingsSchema } from './schema/schema.ts';
import { refusals } from './validate.ts';

export type { Config } from './config.ts';

interface LoadOptions {
  /** What faults call the text. Default `config`. */
  readonly fileName?: string;
}

/** The environment of a process; only `TMPDIR` is read here, for the default spool. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration of a YAML text: complete, in base units, frozen. An empty text means the
 * defaults. Reads no files; `fileFaults` checks those that it names. Throws `ConfigError` with
 * every fault, in the order of the text.
 */
export function load(text: string, env: Environment, options: LoadOptions = {}): Config {
  const document = parseConfigDocument(text);
  const reading = document.faults.length === 0 ? read(document.value, env) : { refused: [] };
  if ('config' in reading) return reading.config;
  const faults = [...document.faults, ...located(reading.refused, document)].sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0),
  );
  throw new ConfigError(options.fileName ?? 'config', faults);
}

/** The configuration of settings that are data already, or every fault of them. */
export function read(
  value: unknown,
  env: Environment,
): { readonly config: Config } | { readonly refused: readonly ConfigRefusal[] } {
  const { settings, refused } = readSettings(value);
  if (settings === undefined || refused.length > 0) return { refused };
  return { config: resolved(settings, env['TMPDIR'] ?? '/tmp') };
}

interface ConfigReading {
  readonly refused: readonly ConfigRefusal[];
  readonly settings?: Settings;
}

/** Removes what the schema refuses, so that the rest can be checked in the same run. */
function readSettings(value: unknown): ConfigReading {
  const completed = Value.Default(settingsSchema, value);
  const refused = refusals(settingsSchema, completed);
  const pruned = refused.map(({ path }) => prune(completed, path));
  const sound = pruned.length === 0 ? completed : Value.Default(settingsSchema, completed);
  if (pruned.length > 0 && !Value.Check(settingsSchema, sound)) return { refused };
  const settings = decoded(sound);
  const concerns = contradictions(settings).filter((concern) => !dependsOn(concern, pruned));
  return { refused: [...refused, ...concerns], settings };
}

/**
 * `Value.Decode` completes and checks the settings again; they pass the check before. To sort the
 * variants of unions takes longer than all else here, and the schema has no unions.
 */
function decoded(sound: unknown): Settings {
  const { unionPrioritySort } = TypeboxSettings.Get();
  try {
    TypeboxSettings.Set({ unionPrioritySort: false });
    return DecodeUnsafe({}, settingsSchema, Value.Clone(sound)) as Settings;
  } finally {
    TypeboxSettings.Set({ unionPrioritySort });
  }
}

function dependsOn({ path, about = [] }: Contradiction, pruned: readonly FaultPath[]): boolean {
  return [path, ...about].some((place) => pruned.some((gone) => isWithin(place, gone)));
}
