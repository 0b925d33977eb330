import { Expression } from '../../base/text/expression.ts';
import { qci } from '../../mirror/references/names.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { DeleteBy } from '../../prune/tag-deletion.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../flags/flag-table.ts';
import { type pruneFlags, pruneImagesFlags, pruneTagsFlags } from '../pages/prune.ts';

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

/** Reads the command line. Throws `UsageError`. */
export function parsePruneTagsFlags(args: readonly string[]): PruneTagsOptions {
  const { values, words } = parseFlags(pruneTagsFlags, args);
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

type ImageValues = FlagValues<typeof pruneImagesFlags>;

const defaultAgeMs = 3_600_000;
const defaultRevisions = 3;

/** Reads the command line. Throws `UsageError`. */
export function parsePruneImagesFlags(
  args: readonly string[],
): { readonly repositories: PruneImagesOptions } | { readonly integrated: PruneIntegratedOptions } {
  const { values, words } = parseFlags(pruneImagesFlags, args);
  if (words.length > 0) throw new UsageError('no arguments are allowed to this command');
  if (values.repository.length === 0) return { integrated: integratedOptions(values) };
  const cluster = clusterFlags.find((name) => values[name] !== undefined);
  if (cluster !== undefined)
    throw new UsageError(`--${cluster} is for the integrated registry, not for --repository`);
  return {
    repositories: {
      targets: values.repository.map(targetIn),
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

type PruneValues = FlagValues<typeof pruneFlags>;

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
