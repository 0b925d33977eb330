// Room `predecessors/commands`: command lines of qci-appci and ci-images-mirror. In: their flags.
// Out: settings of ours. Imports: base, cli/flags, cli/mirror, cli/pages, cli/serve, config.

import { type Fields, fieldsOf } from '../../base/text/json.ts';
import type { Io } from '../../cli/flags/io.ts';
import { configFileText } from '../../cli/serve/config-file.ts';
import { fileFaults } from '../../cli/serve/file-faults.ts';
import { type Start, served } from '../../cli/serve/serve.ts';
import { type ConfigDocument, configText, located, parseConfigDocument } from '../../config/document.ts';
import {
  ConfigError,
  type ConfigRefusal,
  type Fault,
  type FaultPath,
  isWithin,
  pathText,
} from '../../config/faults.ts';
import { type Config, read } from '../../config/load.ts';
import { flagSettings } from './flag-settings.ts';
import type { Decided, GoFlags } from './go-flags.ts';
import { logFormatOf } from './own-flags.ts';

/** A program that we stand in for: its command line, in our settings. */
interface FlagProgram {
  /** What faults that are in no file are said to be in. */
  readonly name: string;
  /** What it does whatever its flags say. */
  readonly always: Fields;
  readonly flags: GoFlags;
  /** More settings, from a file. */
  readonly file: string | undefined;
}

/** Serves what the flags mean; resolves as `quayside serve` does. */
export function servedByFlags(start: Start, program: FlagProgram, io: Io): Promise<number> {
  const read = (text?: string): Promise<Config> => usable(program, io, text);
  const parse = async (text?: string): Promise<Config> => (await sound(program, io, text)).config;
  return served(start, { read, parse, file: program.file, logFormat: logFormatOf(program.flags) }, io);
}

/** Prints the settings that the flags mean, as a file would hold them. */
export async function printedSettings(program: FlagProgram, io: Io): Promise<number> {
  const { settings } = await sound(program, io);
  io.stdout.write(configText(settings));
  return 0;
}

interface Sound {
  readonly settings: Fields;
  readonly config: Config;
  readonly file: SettingsFile | undefined;
}

interface SettingsFile {
  readonly name: string;
  readonly document: ConfigDocument;
}

async function usable(program: FlagProgram, io: Pick<Io, 'env'>, text?: string): Promise<Config> {
  const { config, file } = await sound(program, io, text);
  const refused = await fileFaults(config);
  if (refused.length > 0) throw new ConfigError(program.name, faultsOf(refused, program.flags, file));
  return config;
}

/** Throws `ConfigError` with every fault: of flags by name, of the file by line. */
async function sound(program: FlagProgram, { env }: Pick<Io, 'env'>, text?: string): Promise<Sound> {
  const { name, always, flags } = program;
  const file = program.file === undefined ? undefined : await settingsFile(program.file, text);
  const early = [
    ...flags.complaints.map(({ flag, message }) => ({ path: '', message: `${flag} ${message}` })),
    ...(file?.document.faults ?? []).map((fault) => ({ ...fault, file: program.file ?? '' })),
  ];
  if (early.length > 0) throw new ConfigError(name, early);
  const value = file?.document.value;
  const settings = flagSettings(flags, fieldsOf(value), always);
  const reading = read(structuredClone(settings), env);
  if ('refused' in reading) throw new ConfigError(name, faultsOf(reading.refused, flags, file));
  return { settings, config: reading.config, file };
}

async function settingsFile(name: string, text?: string): Promise<SettingsFile> {
  return { name, document: parseConfigDocument(text ?? (await configFileText(name))) };
}

/** Each fault where a person can put it right, once: a flag may decide several settings. */
function faultsOf(
  refused: readonly ConfigRefusal[],
  flags: GoFlags,
  file: SettingsFile | undefined,
): Fault[] {
  const faults = refused.map((refusal): Fault => {
    const { path, message } = refusal;
    const flag = flagOf(path, flags.given);
    if (flag === undefined && file !== undefined && holds(file.document.value, path)) {
      return { ...located([refusal], file.document)[0], path: pathText(path), message, file: file.name };
    }
    const name = flag ?? flagOf(path, flags.assumed);
    return name === undefined
      ? { path: pathText(path), message }
      : { path: '', message: `${name} ${message}` };
  });
  return [...new Map(faults.map((fault) => [JSON.stringify(fault), fault])).values()];
}

function flagOf(path: FaultPath, decided: readonly Decided[]): string | undefined {
  return decided.find(({ place }) => isWithin(path, place))?.flag;
}

function holds(settings: unknown, [key, ...rest]: FaultPath): boolean {
  if (key === undefined) return true;
  return (
    typeof settings === 'object' &&
    settings !== null &&
    Object.hasOwn(settings, key) &&
    holds(Reflect.get(settings, key), rest)
  );
}
