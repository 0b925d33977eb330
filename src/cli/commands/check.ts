import { type ConfigDocument, located, parseConfigDocument } from '../../config/document.ts';
import { ConfigError, type ConfigRefusal, type Fault, faultLine } from '../../config/faults.ts';
import { type Config, load } from '../../config/load.ts';
import type { DeepFinding } from '../deep/finding.ts';
import { UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Io, Run } from '../flags/io.ts';
import { configCheckFlags } from '../pages/config.ts';
import { configFile, configFileText } from '../serve/config-file.ts';

/** What a check came to. */
interface CheckOutcome {
  readonly fileName: string;
  readonly faults: readonly Fault[];
  readonly findings: readonly DeepFinding[];
  readonly document?: ConfigDocument;
}

/** `quayside config check FILE`: see its help. */
export const check: Run = async (args, io) => {
  const { values, words } = parseFlags(configCheckFlags, args);
  const { deep = false, 'without-files': isWithoutFiles = false, output } = values;
  const [fileName, ...rest] = words;
  if (fileName === undefined || rest.length > 0) throw new UsageError('needs the name of one file');
  if (deep && isWithoutFiles) throw new UsageError('takes --deep or --without-files, not both');
  const checked = await checkedFile(fileName, { deep, isWithoutFiles }, io);
  io.stdout.write(output === 'json' ? jsonText(checked) : plainText(checked));
  if (checked.faults.length > 0) return 2;
  return checked.findings.some(({ fault }) => fault !== undefined) ? 1 : 0;
};

async function checkedFile(
  fileName: string,
  { deep, isWithoutFiles }: { readonly deep: boolean; readonly isWithoutFiles: boolean },
  io: Io,
): Promise<CheckOutcome> {
  try {
    if (!deep) {
      await (isWithoutFiles ? textAlone(fileName, io) : configFile(fileName, io));
      return { fileName, faults: [], findings: [] };
    }
    const config = await configFile(fileName, io);
    const document = parseConfigDocument(await configFileText(fileName));
    const { deepCheck } = await import('../deep/deep-check.ts');
    const { files, findings } = await deepCheck(config, { env: io.env });
    return { fileName, faults: located(files, document), findings, document };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { fileName, faults: error.faults, findings: [] };
  }
}

async function textAlone(fileName: string, { env }: Io): Promise<Config> {
  return load(await configFileText(fileName), env, { fileName });
}

function plainText({ fileName, faults, findings, document }: CheckOutcome): string {
  const broken = findings.filter(({ fault }) => fault !== undefined);
  const lines = [
    ...faults.map((fault) => faultLine(fileName, fault)),
    ...located(broken.map(asRefusal), document ?? parseConfigDocument('')).map((fault) =>
      faultLine(fileName, fault),
    ),
    ...findings.flatMap(({ what, fine }) => (fine === undefined ? [] : [`${what}: ${fine}`])),
    ...(faults.length + broken.length === 0 ? [`${fileName}: fine`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function jsonText({ fileName, faults, findings, document }: CheckOutcome): string {
  const checks = findings.map((finding) => {
    const { what, fault, fine } = finding;
    const [place] = located([asRefusal(finding)], document ?? parseConfigDocument(''));
    return {
      what,
      isFine: fault === undefined,
      setting: place?.path,
      line: place?.line,
      message: fault ?? fine,
    };
  });
  const isFine = faults.length === 0 && checks.every((each) => each.isFine);
  const settings = faults.map(({ path, ...fault }) => ({ setting: path, ...fault }));
  return `${JSON.stringify({ file: fileName, isFine, faults: settings, checks }, undefined, 2)}\n`;
}

function asRefusal({ path, fault = '' }: DeepFinding): ConfigRefusal {
  return { path, message: fault };
}
