import { arch } from 'node:os';
import { Expression } from '../../base/text/expression.ts';
import { parseHost } from '../../config/schema/leaves.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import { parseGoBoolean } from '../flags/go-flags.ts';

/** What a command line of `quayside mirror` asks for. */
export interface MirrorWish {
  /** `SRC=DST…` or `SRC DST…` */
  readonly words: readonly string[];
  /** Mapping files; `-` is standard input. */
  readonly files: readonly string[];
  readonly registryConfig: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecure: boolean;
  readonly filterByOs: Expression | undefined;
  readonly keepManifestList: boolean;
  /** Whether the images of a list are told as the list is. */
  readonly listsChildren: boolean;
  readonly allTags: boolean;
  readonly referrers: boolean;
  readonly maxPerRegistry: number;
  readonly maxRegistry: number;
  /** To each registry, to read and to write together. Undefined: as many as it takes. */
  readonly requestsPerSecond: number | undefined;
  readonly dryRun: boolean;
  readonly continueOnError: boolean;
  readonly skipMissing: boolean;
  readonly skipMount: boolean;
  readonly force: boolean;
  /** Layers with `urls` of their own: left there, or copied as oc does. */
  readonly foreignLayers: 'skip' | 'copy';
  /** Where `file://` destinations lie, and sources unless `fromDir` says otherwise. */
  readonly dir: string;
  readonly fromDir: string;
  readonly json: boolean;
  readonly failedFile: string | undefined;
  /** Other names of registries, to which they may lead uploads. */
  readonly uploadHosts: readonly string[];
}

/** Written as Go writes them: alone, or with `=true` and the like behind. */
const switches = [
  'all-tags',
  'continue-on-error',
  'dry-run',
  'force',
  'insecure',
  'keep-manifest-list',
  'referrers',
  'skip-missing',
  'skip-mount',
  'skip-multiple-scopes',
  'skip-verification',
] as const;

type Switch = (typeof switches)[number];

const options = {
  'registry-config': { type: 'string', short: 'a' },
  'certificate-authority': { type: 'string' },
  'filter-by-os': { type: 'string' },
  'max-per-registry': { type: 'string', default: '6' },
  'max-registry': { type: 'string', default: '4' },
  'requests-per-second': { type: 'string' },
  filename: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
  dir: { type: 'string', default: '.' },
  'from-dir': { type: 'string' },
  'foreign-layers': { type: 'string', default: 'copy' },
  output: { type: 'string' },
  'failed-file': { type: 'string' },
  's3-source-bucket': { type: 'string', multiple: true },
  'upload-host': { type: 'string', multiple: true, default: [] as string[] },
} as const;

/**
 * Flags of every oc command: which cluster it asks, as whom, and how much it says. No cluster is
 * asked here.
 */
const global = [
  'as',
  'as-group',
  'as-uid',
  'cache-dir',
  'client-certificate',
  'client-key',
  'cluster',
  'context',
  'kubeconfig',
  'log-flush-frequency',
  'loglevel',
  'namespace',
  'password',
  'profile',
  'profile-output',
  'request-timeout',
  'server',
  'tls-server-name',
  'token',
  'user',
  'username',
  'v',
  'vmodule',
] as const;

const shortOfGlobal: Readonly<Record<string, string>> = { namespace: 'n', server: 's', v: 'v' };
const globalSwitches = [
  'disable-compression',
  'insecure-skip-tls-verify',
  'match-server-version',
  'warnings-as-errors',
] as const;

const switchOptions = Object.fromEntries(
  [...switches, ...globalSwitches].map((name) => [name, { type: 'string' } as const]),
);
const globalOptions = Object.fromEntries(
  global.map((name) => {
    const short = shortOfGlobal[name];
    return [name, { type: 'string', multiple: true, ...(short === undefined ? {} : { short }) } as const];
  }),
);

/** Reads the flags of `oc image mirror`, and ours beside them. Throws `UsageError`. */
export function parseMirrorFlags(args: readonly string[]): MirrorWish {
  const { values, positionals } = parsed(args.map(withValue), {
    ...switchOptions,
    ...globalOptions,
    ...options,
  });
  const given: Readonly<Record<string, unknown>> = values;
  const isOn = (name: Switch) => truth(name, given[name]);
  refuse(isOn('skip-verification') === true, given['s3-source-bucket'] !== undefined);
  if (values.output !== undefined && values.output !== 'json')
    throw new UsageError('--output knows json alone');
  return {
    words: positionals,
    files: values.filename.flatMap((names) => names.split(',')),
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: isOn('insecure') === true,
    ...platforms(values['filter-by-os'], isOn('keep-manifest-list')),
    listsChildren: isOn('keep-manifest-list') === true,
    allTags: isOn('all-tags') === true,
    referrers: isOn('referrers') === true,
    maxPerRegistry: count('max-per-registry', values['max-per-registry']),
    maxRegistry: count('max-registry', values['max-registry']),
    requestsPerSecond: rate(values['requests-per-second']),
    dryRun: isOn('dry-run') === true,
    continueOnError: isOn('continue-on-error') === true,
    skipMissing: isOn('skip-missing') === true,
    skipMount: isOn('skip-mount') === true,
    force: isOn('force') === true,
    foreignLayers: foreignLayers(values['foreign-layers']),
    dir: values.dir,
    fromDir: values['from-dir'] ?? values.dir,
    json: values.output === 'json',
    failedFile: values['failed-file'],
    uploadHosts: values['upload-host'].flatMap((hosts) => hosts.split(',').map(uploadHost)),
  };
}

/**
 * Lists are kept unless a filter leaves something out: a list over missing images is what many registries refuse. Without the list
 * and without a filter it is this machine's architecture that is wanted, as with oc.
 */
function platforms(
  filter: string | undefined,
  isKept: boolean | undefined,
): Pick<MirrorWish, 'filterByOs' | 'keepManifestList'> {
  if (filter === '.*' || (filter === undefined && isKept !== false))
    return { filterByOs: undefined, keepManifestList: true };
  const machine = arch() === 'x64' ? 'amd64' : arch();
  return { filterByOs: pattern(filter ?? `^linux/${machine}(/|$)`), keepManifestList: isKept === true };
}

function foreignLayers(text: string): MirrorWish['foreignLayers'] {
  if (text === 'skip' || text === 'copy') return text;
  throw new UsageError(`--foreign-layers must be skip or copy, not ${text}`);
}

function pattern(text: string): Expression {
  try {
    return Expression.anywhere(text);
  } catch (error) {
    throw new UsageError(`--filter-by-os ${error instanceof Error ? error.message : text}`);
  }
}

function uploadHost(text: string): string {
  try {
    return parseHost(text);
  } catch (error) {
    throw new UsageError(`--upload-host ${error instanceof Error ? error.message : text}`);
  }
}

function refuse(skipsVerification: boolean, hasBucket: boolean): void {
  if (skipsVerification)
    throw new UsageError('--skip-verification is refused: nothing is copied whose digest was not checked');
  if (hasBucket)
    throw new UsageError('--s3-source-bucket is refused: buckets are no source and no destination here');
}

/** `--force` is `--force=true`, and `-f=FILE` is `-f FILE`. */
function withValue(word: string): string {
  if ([...switches, ...globalSwitches].some((name) => word === `--${name}`)) return `${word}=true`;
  return word.replace(/^(-[afnsv])=/, '$1');
}

function truth(name: Switch, text: unknown): boolean | undefined {
  if (text === undefined) return undefined;
  try {
    return parseGoBoolean(String(text));
  } catch (error) {
    throw new UsageError(`--${name} must be true or false, not ${text}`, { cause: error });
  }
}

function count(name: string, text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text))
    throw new UsageError(`--${name} must be a whole number from 1 on, not ${text}`);
  return Number(text);
}

function rate(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,5}(\.\d{1,3})?$/.test(text) || Number(text) === 0)
    throw new UsageError(`--requests-per-second must be a number above 0, not ${text}`);
  return Number(text);
}
