import { kindNamed, type MigratedKind, migratedKinds, usualKinds } from '../../migrate/kinds.ts';
import type { MigrationScope } from '../../migrate/migrate.ts';
import { didYouMean, UsageError } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import { migrateFlags } from '../pages/migrate.ts';

/** What a command line of `quayside migrate image-references` asks for. */
export interface MigrateOptions extends MigrationScope {
  /** `FROM=TO` */
  readonly words: readonly string[];
  /** Mapping files of `quayside mirror`; `-` is standard input. */
  readonly files: readonly string[];
  readonly kinds: readonly MigratedKind[];
  /** Whether the kinds are the usual ones, as none were named. */
  readonly isUsual: boolean;
  /** Files with the only objects that are wanted. */
  readonly only: readonly string[];
  readonly confirm: boolean;
  readonly output: 'yaml' | 'json' | undefined;
  readonly verbosity: number;
  readonly atOnce: number;
  readonly failedFile: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Whether the new references are asked for at their registries. */
  readonly checks: boolean;
  /** Whether logins stand under their old names too. */
  readonly keepsLogins: boolean;
  /** A file with the logins of the new places. */
  readonly loginsFile: string | undefined;
  /** How registries are reached. */
  readonly registries: {
    readonly config: string | undefined;
    readonly registryConfig: string | undefined;
    readonly insecure: boolean;
    readonly certificateAuthority: string | undefined;
  };
}

/** Reads the command line. Throws `UsageError`. */
export function parseMigrateFlags(args: readonly string[]): MigrateOptions {
  const { values, words } = parseFlags(migrateFlags, args);
  const { confirm, namespace, include } = values;
  const output = values.output === 'text' ? undefined : values.output;
  if (confirm === true && output !== undefined)
    throw new UsageError('takes --confirm or -o: -o prints the objects and changes nothing');
  if (namespace !== undefined && values['all-namespaces'] === true)
    throw new UsageError('takes -n or -A, not both');
  if (values['keep-logins'] === true && values['add-logins'] !== undefined)
    throw new UsageError('takes --keep-logins or --add-logins, which renames none');
  if (namespace === '') throw new UsageError('--namespace needs a name');
  return {
    words,
    files: values.filename.flatMap((names) => names.split(',')),
    kinds: include.length === 0 ? usualKinds : kindsNamed(include),
    isUsual: include.length === 0,
    only: values.only,
    confirm: confirm === true,
    output,
    verbosity: values.v ?? values.loglevel ?? 1,
    atOnce: values['num-workers'],
    failedFile: values['failed-file'],
    namespace,
    fromKey: values['from-key'],
    toKey: values['to-key'],
    kubeconfig: values.kubeconfig,
    context: values.context,
    checks: values['no-check'] !== true,
    keepsLogins: values['keep-logins'] === true,
    loginsFile: values['add-logins'],
    registries: {
      config: values.config,
      registryConfig: values['registry-config'],
      insecure: values.insecure === true,
      certificateAuthority: values['certificate-authority'],
    },
  };
}

/** In the order in which they are migrated, whatever the order of the words. */
function kindsNamed(include: readonly string[]): readonly MigratedKind[] {
  const words = include.flatMap((names) => names.split(',')).map((word) => word.trim());
  if (words.some((word) => word === 'all' || word === '*')) return migratedKinds;
  const named = new Set(words.map(kindOf));
  return migratedKinds.filter((kind) => named.has(kind));
}

/** The kind of a word. Throws `UsageError`. */
export function kindOf(word: string): MigratedKind {
  const kind = kindNamed(word);
  if (kind !== undefined) return kind;
  const known = migratedKinds.map(({ resource }) => resource);
  throw new UsageError(
    `${word} is no kind that names images${didYouMean(word, known)}: ${known.join(', ')}, or all`,
  );
}
