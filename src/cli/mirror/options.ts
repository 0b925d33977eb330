import { arch } from 'node:os';
import { Expression } from '../../base/text/expression.ts';
import { parseHost } from '../../config/schema/leaves.ts';
import { UsageError } from '../flags/arguments.ts';
import { type Flag, type FlagTable, parseBoolean, parseFlags } from '../flags/flag-table.ts';

/** What a command line of `quayside mirror` asks for. */
export interface MirrorOptions {
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
  /** Also those that a promotion stages or keeps, to `DST:*`. */
  readonly stagingTags: boolean;
  readonly maxPerRegistry: number;
  readonly maxRegistry: number;
  /** To each registry, to read and to write together. Undefined: as many as it takes. */
  readonly requestsPerSecond: number | undefined;
  readonly dryRun: boolean;
  /** Of a dry run: whether what is left to copy is a failure. */
  readonly exitCode: boolean;
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

/** Written as Go writes it: alone, or with `=true` and the like behind. */
export const boolean = { isSwitch: true, read: parseBoolean } as const;

/** The flags of `oc image mirror`, and ours beside them. */
const flags = {
  'all-tags': boolean,
  'certificate-authority': {},
  'continue-on-error': boolean,
  dir: { default: '.' },
  'dry-run': boolean,
  'exit-code': boolean,
  'failed-file': {},
  filename: { short: 'f', isList: true },
  'filter-by-os': { read: (text: string) => Expression.anywhere(text) },
  force: boolean,
  'foreign-layers': { default: 'copy', read: foreignLayers },
  'from-dir': {},
  insecure: boolean,
  'keep-manifest-list': boolean,
  'max-per-registry': { default: '6', read: count },
  'max-registry': { default: '4', read: count },
  output: { read: format },
  referrers: boolean,
  'registry-config': { short: 'a' },
  'requests-per-second': { read: rate },
  's3-source-bucket': { isList: true },
  'skip-missing': boolean,
  'skip-mount': boolean,
  'skip-multiple-scopes': boolean,
  'skip-verification': boolean,
  'staging-tags': boolean,
  'upload-host': { isList: true, read: (text: string) => text.split(',').map(parseHost) },
} as const satisfies FlagTable;

/** Flags of every oc command, on the cluster and the log. No cluster is asked here. */
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

/** Accepted by every command that stands in for one of oc, without effect. */
export const globalFlags: Readonly<Record<string, Flag>> = Object.fromEntries([
  ...globalSwitches.map((name) => [name, { isSwitch: true }] as const),
  ...global.map((name) => {
    const short = shortOfGlobal[name];
    return [name, short === undefined ? {} : { short }] as const;
  }),
]);

/** All that `quayside mirror` accepts. */
export const mirrorFlags = { ...globalFlags, ...flags };

/** Reads the flags. Throws `UsageError`. */
export function parseMirrorFlags(args: readonly string[]): MirrorOptions {
  return mirrorOptions(parseFlags(mirrorFlags, args));
}

/** What the flags ask for. Throws `UsageError` for those that are refused. */
export function mirrorOptions({
  values,
  words,
}: ReturnType<typeof parseFlags<typeof mirrorFlags>>): MirrorOptions {
  if (values['skip-verification'] === true)
    throw new UsageError('--skip-verification is refused: nothing is copied whose digest was not checked');
  if (values['s3-source-bucket'].length > 0)
    throw new UsageError('--s3-source-bucket is refused: buckets are no source and no destination here');
  if (values['exit-code'] === true && values['dry-run'] !== true)
    throw new UsageError(
      '--exit-code is for --dry-run: without it the exit code says whether all was copied',
    );
  return {
    words,
    files: values.filename.flatMap((names) => names.split(',')),
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: values.insecure === true,
    ...platforms(values['filter-by-os'], values['keep-manifest-list']),
    listsChildren: values['keep-manifest-list'] === true,
    allTags: values['all-tags'] === true,
    referrers: values.referrers === true,
    stagingTags: values['staging-tags'] === true,
    maxPerRegistry: values['max-per-registry'],
    maxRegistry: values['max-registry'],
    requestsPerSecond: values['requests-per-second'],
    dryRun: values['dry-run'] === true,
    exitCode: values['exit-code'] === true,
    continueOnError: values['continue-on-error'] === true,
    skipMissing: values['skip-missing'] === true,
    skipMount: values['skip-mount'] === true,
    force: values.force === true,
    foreignLayers: values['foreign-layers'],
    dir: values.dir,
    fromDir: values['from-dir'] ?? values.dir,
    json: values.output === 'json',
    failedFile: values['failed-file'],
    uploadHosts: values['upload-host'].flat(),
  };
}

/**
 * Lists are kept unless a filter leaves images out, as many registries refuse a list over missing
 * images. Without list and filter, this machine's architecture is copied, as by oc.
 */
function platforms(
  filter: Expression | undefined,
  isKept: boolean | undefined,
): Pick<MirrorOptions, 'filterByOs' | 'keepManifestList'> {
  if (filter?.source === '.*' || (filter === undefined && isKept !== false))
    return { filterByOs: undefined, keepManifestList: true };
  const machine = arch() === 'x64' ? 'amd64' : arch();
  return {
    filterByOs: filter ?? Expression.anywhere(`^linux/${machine}(/|$)`),
    keepManifestList: isKept === true,
  };
}

/** The one other form of output. Throws an Error for another. */
export function format(text: string): 'json' {
  if (text === 'json') return text;
  throw new Error('knows json alone');
}

function foreignLayers(text: string): MirrorOptions['foreignLayers'] {
  if (text === 'skip' || text === 'copy') return text;
  throw new Error(`must be skip or copy, not ${text}`);
}

/** A whole number from 1 on. Throws an Error for another text. */
export function count(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 1 on, not ${text}`);
}

/** A number above 0. Throws an Error for another text. */
export function rate(text: string): number {
  if (/^\d{1,5}(\.\d{1,3})?$/.test(text) && Number(text) > 0) return Number(text);
  throw new Error(`must be a number above 0, not ${text}`);
}
