import { Expression } from '../../base/text/expression.ts';
import { parseMs } from '../../config/schema/units.ts';
import { qci } from '../../mirror/references/names.ts';
import { parsePullSpec } from '../../mirror/references/pull-spec.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagTable, parseFlags } from '../flags/flag-table.ts';
import { boolean, count, format, rate } from '../mirror/options.ts';

/** A repository that a command line names. */
export interface PruneTarget {
  readonly registry: string;
  readonly repository: Repository;
}

/** What every command line of `quayside prune` asks for. */
export interface PruneOptions {
  readonly targets: readonly PruneTarget[];
  readonly confirm: boolean;
  readonly config: string | undefined;
  /** Whether image streams may name what is deleted. */
  readonly hasStreams: boolean;
  readonly registryConfig: string | undefined;
  readonly certificateAuthority: string | undefined;
  readonly insecure: boolean;
  readonly maxPerRegistry: number;
  readonly requestsPerSecond: number | undefined;
  readonly json: boolean;
  readonly failedFile: string | undefined;
  /** Files with the only names that are wanted. */
  readonly files: readonly string[];
  /** The pause between two runs, milliseconds. Undefined: one run. */
  readonly everyMs: number | undefined;
}

export interface PruneTagsOptions extends PruneOptions {
  readonly ttlDays: number;
  readonly tokenFile: string | undefined;
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
  'no-streams': boolean,
  output: { short: 'o', read: format },
  'registry-config': { short: 'a' },
  'requests-per-second': { read: rate },
} as const satisfies FlagTable;

const tagFlags = {
  ...pruneFlags,
  'token-file': {},
  'ttl-days': { default: '5', read: days },
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
  };
}

const imageFlags = {
  ...pruneFlags,
  'keep-tag-revisions': { default: '3', read: revisions },
  'keep-younger-than': { default: '60m', read: (text: string) => parseMs(text) },
  match: { default: '.*', read: (text: string) => Expression.whole(text) },
  repository: { isList: true, read: targetIn },
} as const satisfies FlagTable;

export interface PruneImagesOptions extends PruneOptions {
  readonly match: Expression;
  readonly keepYoungerThanMs: number;
  readonly keepRevisions: number;
}

/** Reads the command line. Throws `UsageError`. */
export function parsePruneImagesFlags(args: readonly string[]): PruneImagesOptions {
  const { values, words } = parseFlags(imageFlags, args);
  if (words.length > 0) throw new UsageError('no arguments are allowed to this command');
  if (values.repository.length === 0) throw new UsageError('needs --repository REGISTRY/REPOSITORY');
  if (values.filename.length > 0) throw new UsageError('takes no -f: each run plans anew');
  return {
    targets: values.repository,
    ...pruneOptions(values),
    match: values.match,
    keepYoungerThanMs: values['keep-younger-than'],
    keepRevisions: values['keep-tag-revisions'],
  };
}

function revisions(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new Error(`must be a whole number from 0 on, not ${text}`);
}

type PruneValues = ReturnType<typeof parseFlags<typeof pruneFlags>>['values'];

/** What the flags say that every command of this kind has. Throws `UsageError`. */
function pruneOptions(values: PruneValues): Omit<PruneOptions, 'targets'> {
  if (values.every !== undefined && values.confirm !== true)
    throw new UsageError('--every is for --confirm: a dry run changes nothing between two runs');
  if (values.every !== undefined && values.filename.length > 0)
    throw new UsageError('--every looks at the whole repository, and -f at the names in a file');
  return {
    confirm: values.confirm === true,
    config: values.config,
    hasStreams: values['no-streams'] !== true,
    registryConfig: values['registry-config'],
    certificateAuthority: values['certificate-authority'],
    insecure: values.insecure === true,
    maxPerRegistry: values['max-per-registry'],
    requestsPerSecond: values['requests-per-second'],
    json: values.output === 'json',
    failedFile: values['failed-file'],
    files: values.filename,
    everyMs: values.every,
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

function days(text: string): number {
  if (/^(?:-1|\d{1,5})$/.test(text)) return Number(text);
  throw new Error(`must be a number of days, or -1 for all, not ${text}`);
}

const shortestMs = 60_000;

function period(text: string): number {
  const ms = parseMs(text);
  if (ms >= shortestMs) return ms;
  throw new Error('must be 1m or more');
}
