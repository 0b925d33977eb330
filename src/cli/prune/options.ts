import { Expression } from '../../base/text/expression.ts';
import { parseMs } from '../../config/schema/units.ts';
import { qci } from '../../mirror/references/names.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { DeleteBy } from '../../prune/tag-deletion.ts';
import { defaultTtlDays } from '../../prune/tag-rules.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagTable, parseFlags } from '../flags/flag-table.ts';
import { boolean, count, rate } from '../mirror/options.ts';

/** A repository that a command line names. */
export interface PruneTarget {
  readonly registry: string;
  readonly repository: Repository;
}

/** What every command line of `quayside prune` asks for. */
export interface PruneRunOptions {
  readonly confirm: boolean;
  readonly config: string | undefined;
  readonly json: boolean;
  readonly failedFile: string | undefined;
  /** Files with the only names that are wanted. */
  readonly files: readonly string[];
  /** The pause between two runs, milliseconds. Undefined: one run. */
  readonly everyMs: number | undefined;
  /** `host:port` where metrics are served meanwhile. */
  readonly metrics: string | undefined;
}

/** In repositories. */
export interface PruneOptions extends PruneRunOptions {
  readonly targets: readonly PruneTarget[];
  /** Whether image streams may name what is deleted. */
  readonly hasStreams: boolean;
  readonly registryConfig: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecure: boolean;
  readonly maxPerRegistry: number;
  readonly requestsPerSecond: number | undefined;
}

export interface PruneTagsOptions extends PruneOptions {
  readonly ttlDays: number;
  readonly tokenFile: string | undefined;
  readonly deleteBy: DeleteBy;
}

const pruneFlags = {
  'certificate-authority': {},
  config: {},
  confirm: boolean,
  every: { read: period },
  'failed-file': {},
  filename: { short: 'f', isList: true },
  insecure: boolean,
  'max-per-registry': { default: '20', read: count },
  metrics: { read: listenAddress },
  'no-streams': boolean,
  output: { short: 'o', read: outputForm },
  'registry-config': { short: 'a' },
  'requests-per-second': { read: rate },
} as const satisfies FlagTable;

const tagFlags = {
  ...pruneFlags,
  'delete-by': { default: 'auto', read: way },
  'token-file': {},
  'ttl-days': { default: `${defaultTtlDays}`, read: days },
} as const satisfies FlagTable;

/** Reads the command line. Throws `UsageError`. */
export function parsePruneTagsFlags(args: readonly string[]): PruneTagsOptions {
  const { values, words } = parseFlags(tagFlags, args);
  const [word = qci, ...others] = words;
  if (others.length > 0) throw new UsageError('takes one REGISTRY/REPOSITORY');
  return {
    targets: [targetIn(word)],
    ...pruneOptions(values),
    ttlDays: values['ttl-days'],
    tokenFile: values['token-file'],
    deleteBy: values['delete-by'],
  };
}

const imageFlags = {
  ...pruneFlags,
  all: { ...boolean, default: 'true' },
  context: {},
  'force-insecure': boolean,
  'ignore-invalid-refs': boolean,
  'keep-tag-revisions': { read: revisions },
  'keep-younger-than': { read: (text: string) => parseMs(text) },
  kubeconfig: {},
  match: { read: (text: string) => Expression.whole(text) },
  namespace: { short: 'n' },
  'num-workers': { default: '20', read: count },
  'prune-over-size-limit': boolean,
  'prune-registry': { ...boolean, default: 'true' },
  'registry-url': {},
  repository: { isList: true, read: targetIn },
} as const satisfies FlagTable;

export interface PruneImagesOptions extends PruneOptions {
  readonly match: Expression;
  readonly keepYoungerThanMs: number;
  readonly keepRevisions: number;
}

/** Of the integrated registry. */
export interface PruneIntegratedOptions extends PruneRunOptions {
  readonly all: boolean;
  readonly namespace: string | undefined;
  /** Undefined: sizes decide. */
  readonly keepYoungerThanMs: number | undefined;
  readonly keepTagRevisions: number | undefined;
  readonly ignoresBadReferences: boolean;
  readonly workers: number;
  readonly hasRegistry: boolean;
  readonly registryUrl: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly forceInsecure: boolean;
  readonly requestsPerSecond: number | undefined;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

type ImageValues = ReturnType<typeof parseFlags<typeof imageFlags>>['values'];

const defaultAgeMs = 3_600_000;
const defaultRevisions = 3;

/** Reads the command line. Throws `UsageError`. */
export function parsePruneImagesFlags(
  args: readonly string[],
): { readonly repositories: PruneImagesOptions } | { readonly integrated: PruneIntegratedOptions } {
  const { values, words } = parseFlags(imageFlags, args);
  if (words.length > 0) throw new UsageError('no arguments are allowed to this command');
  if (values.repository.length === 0) return { integrated: integratedOptions(values) };
  const cluster = clusterFlags.find((name) => values[name] !== undefined);
  if (cluster !== undefined)
    throw new UsageError(`--${cluster} is for the integrated registry, not for --repository`);
  return {
    repositories: {
      targets: values.repository,
      ...pruneOptions(values),
      match: values.match ?? Expression.whole('.*'),
      keepYoungerThanMs: values['keep-younger-than'] ?? defaultAgeMs,
      keepRevisions: values['keep-tag-revisions'] ?? defaultRevisions,
    },
  };
}

const clusterFlags = [
  ...(['context', 'force-insecure', 'ignore-invalid-refs', 'kubeconfig', 'namespace'] as const),
  ...(['prune-over-size-limit', 'registry-url'] as const),
] as const;
const repositoryFlags = ['insecure', 'match', 'no-streams', 'registry-config'] as const;

function integratedOptions(values: ImageValues): PruneIntegratedOptions {
  const other = repositoryFlags.find((name) => values[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(`--${other} is for --repository, not for the integrated registry`);
  if (values.namespace !== undefined && values.filename.length > 0)
    throw new UsageError(
      '-f names objects of all namespaces, and Images, which have none: leave out --namespace',
    );
  const bySize = values['prune-over-size-limit'] !== undefined;
  const [age, revisionsKept] = [values['keep-younger-than'], values['keep-tag-revisions']];
  if (bySize && (age ?? revisionsKept) !== undefined)
    throw new UsageError(
      '--prune-over-size-limit cannot be specified with --keep-tag-revisions nor --keep-younger-than',
    );
  const forceInsecure = values['force-insecure'] === true;
  const isHttp = values['registry-url']?.startsWith('http://') === true;
  if (values['certificate-authority'] !== undefined && (forceInsecure || isHttp))
    throw new UsageError(
      `--certificate-authority cannot be specified ${forceInsecure ? 'with --force-insecure' : 'for insecure http protocol'}`,
    );
  return {
    ...runOptions(values),
    all: values.all,
    namespace: values.namespace,
    keepYoungerThanMs: bySize ? undefined : (age ?? defaultAgeMs),
    keepTagRevisions: bySize ? undefined : (revisionsKept ?? defaultRevisions),
    ignoresBadReferences: values['ignore-invalid-refs'] === true,
    workers: values['num-workers'],
    hasRegistry: values['prune-registry'],
    registryUrl: values['registry-url'],
    certificateAuthority: values['certificate-authority'],
    forceInsecure,
    requestsPerSecond: values['requests-per-second'],
    kubeconfig: values.kubeconfig,
    context: values.context,
  };
}

function revisions(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 0 on, not ${text}`);
}

type PruneValues = ReturnType<typeof parseFlags<typeof pruneFlags>>['values'];

/** What the flags say that every command of this kind has. Throws `UsageError`. */
function runOptions(values: PruneValues): PruneRunOptions {
  if (values.every !== undefined && values.confirm !== true)
    throw new UsageError('--every is for --confirm: a dry run changes nothing between two runs');
  if (values.every !== undefined && values.filename.length > 0)
    throw new UsageError('--every looks at everything, and -f at the names in a file');
  if (values.metrics !== undefined && values.every === undefined)
    throw new UsageError('--metrics is for --every: one run tells its counts at its end');
  return {
    confirm: values.confirm === true,
    config: values.config,
    json: values.output === 'json',
    failedFile: values['failed-file'],
    files: values.filename,
    everyMs: values.every,
    metrics: values.metrics,
  };
}

/** As `runOptions`, with how repositories are reached. */
function pruneOptions(values: PruneValues): Omit<PruneOptions, 'targets'> {
  return {
    ...runOptions(values),
    hasStreams: values['no-streams'] !== true,
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: values.insecure === true,
    maxPerRegistry: values['max-per-registry'],
    requestsPerSecond: values['requests-per-second'],
  };
}

/** A repository of a registry, without tag. Throws `UsageError`. */
function targetIn(word: string): PruneTarget {
  try {
    const spec = parsePullSpec(word);
    const isPlain = spec.medium === 'registry' && (spec.tag ?? spec.digest ?? spec.glob) === undefined;
    if (isPlain) return { registry: spec.location, repository: spec.repository };
  } catch (error) {
    if (error instanceof RegistryError) throw new UsageError(`${word}: ${error.message}`, { cause: error });
    throw error;
  }
  throw new UsageError(`${word} is no REGISTRY/REPOSITORY, such as quay.io/openshift/ci`);
}

function way(text: string): DeleteBy {
  if (text === 'auto' || text === 'tag' || text === 'digest') return text;
  throw new Error(`must be auto, tag or digest, not ${text}`);
}

function days(text: string): number {
  if (/^(?:-1|\d{1,5})$/.test(text)) return Number(text);
  throw new Error(`must be a number of days, or -1 for all, not ${text}`);
}

function listenAddress(text: string): string {
  if (/^(?:\[[0-9a-f:]{2,45}\]|[\w.-]{1,253}):\d{1,5}$/.test(text)) return text;
  throw new Error(`must be HOST:PORT, not ${text}`);
}

function outputForm(text: string): 'json' | 'table' {
  if (text === 'json' || text === 'table') return text;
  throw new Error(`must be json or table, not ${text}`);
}

const shortestMs = 60_000;

function period(text: string): number {
  const ms = parseMs(text);
  if (ms >= shortestMs) return ms;
  throw new Error('must be 1m or more');
}
