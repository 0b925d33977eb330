import { type ConfigDocument, configText, located, parseConfigDocument } from '../config/document.ts';
import { ConfigError, type Fault, isWithin, type Path, pathText, type Refusal } from '../config/faults.ts';
import { type Config, read } from '../config.ts';
import { configFileText } from './config-file.ts';
import { fileFaults } from './file-faults.ts';
import type { Io, Run } from './io.ts';
import { type Decided, type ProxyFlags, parseProxyFlags } from './proxy-flags.ts';
import { isSection, proxySettings, type SettingsPart } from './proxy-settings.ts';
import { type Start, served } from './serve.ts';

const program = 'quayside proxy';

/**
 * `quayside proxy`: the service under the command line of the program `qci-appci`, so that its Deployment can go on as it is. Resolves
 * as `quayside serve` does.
 */
export function proxying(start: Start): Run {
  return async (args, io) => {
    const flags = parseProxyFlags(args, io.env['KUBECONFIG']);
    if (!flags.isPrinted) return served(start, { read: () => usable(flags, io), file: flags.configFile }, io);
    const { settings } = await sound(flags, io);
    io.stdout.write(configText(settings));
    return 0;
  };
}

/** The flags and the file together, in both forms. */
interface Sound {
  readonly settings: SettingsPart;
  readonly config: Config;
  readonly file: SettingsFile | undefined;
}

interface SettingsFile {
  readonly name: string;
  readonly document: ConfigDocument;
}

async function usable(flags: ProxyFlags, io: Pick<Io, 'env'>): Promise<Config> {
  const { config, file } = await sound(flags, io);
  const refused = await fileFaults(config);
  if (refused.length > 0) throw new ConfigError(program, faultsOf(refused, flags, file));
  return config;
}

/** Throws `ConfigError` with all that is wrong: with flags under their names, with the file in its lines. */
async function sound(flags: ProxyFlags, { env }: Pick<Io, 'env'>): Promise<Sound> {
  const file = flags.configFile === undefined ? undefined : await settingsFile(flags.configFile);
  const early = [
    ...flags.complaints.map(({ flag, message }) => ({ path: '', message: `${flag} ${message}` })),
    ...(file?.document.faults ?? []).map((fault) => ({ ...fault, file: flags.configFile ?? '' })),
  ];
  if (early.length > 0) throw new ConfigError(program, early);
  const value = file?.document.value;
  const settings = proxySettings(flags, isSection(value) ? value : {});
  const reading = read(structuredClone(settings), env);
  if ('refused' in reading) throw new ConfigError(program, faultsOf(reading.refused, flags, file));
  return { settings, config: reading.config, file };
}

async function settingsFile(name: string): Promise<SettingsFile> {
  return { name, document: parseConfigDocument(await configFileText(name)) };
}

/** Each fault where a person can put it right, once: a flag may decide several settings. */
function faultsOf(refused: readonly Refusal[], flags: ProxyFlags, file: SettingsFile | undefined): Fault[] {
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

function flagOf(path: Path, decided: readonly Decided[]): string | undefined {
  return decided.find(({ place }) => isWithin(path, place))?.flag;
}

function holds(settings: unknown, [key, ...rest]: Path): boolean {
  if (key === undefined) return true;
  return (
    typeof settings === 'object' &&
    settings !== null &&
    Object.hasOwn(settings, key) &&
    holds(Reflect.get(settings, key), rest)
  );
}
