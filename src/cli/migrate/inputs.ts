import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MigratedKind } from '../../migrate/kinds.ts';
import type { WantedObjects } from '../../migrate/migrate.ts';
import type { ObjectPlace } from '../../migrate/objects.ts';
import { type LoginChange, namedLogins } from '../../migrate/rules/logins.ts';
import { mappingRules } from '../../migrate/rules/mapping-rules.ts';
import { parsePlaceRule } from '../../migrate/rules/place-rules.ts';
import { createReferenceRules, type ReferenceRules } from '../../migrate/rules/rules.ts';
import { MappingError, parseMappingFile } from '../../mirror/batch/mapping.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import { kindOf, type MigrateOptions } from './options.ts';

/** The rules of the words, then of the files. Throws `UsageError` with every mistake. */
export async function writtenRules(wish: MigrateOptions, io: Io): Promise<ReferenceRules> {
  const { words, files } = wish;
  const logins = await loginChange(wish, io);
  try {
    const mapped = await Promise.all(
      files.map(async (file) => parseMappingFile(file, await textOf(file, io))),
    );
    const faults = mapped.flatMap((each) => each.faults);
    if (faults.length > 0) throw new MappingError(faults);
    const rules = [...words.map(parsePlaceRule), ...mapped.flatMap(({ mappings }) => mappingRules(mappings))];
    if (rules.length === 0 && files.length > 0)
      throw new UsageError('no line of the files maps a registry to a registry');
    if (rules.length === 0)
      throw new UsageError('at least one mapping argument must be specified: REGISTRY/NAME=REGISTRY/NAME');
    return createReferenceRules(rules, logins);
  } catch (error) {
    if (error instanceof MappingError) throw new UsageError(error.faults.join('\n'), { cause: error });
    throw error;
  }
}

/** Throws `UsageError`, whose text repeats nothing of the file. */
async function loginChange({ keepsLogins, loginsFile }: MigrateOptions, io: Io): Promise<LoginChange> {
  if (loginsFile === undefined) return { kind: keepsLogins ? 'copy' : 'rename' };
  const logins = namedLogins(await textOf(loginsFile, io));
  if (logins.size > 0) return { kind: 'add', logins };
  throw new UsageError(`${loginsFile} has no logins: it needs auths with auth, as podman login writes them`);
}

/** Every object of the kinds, or those that the files of `--only` name. Throws `UsageError`. */
export async function wantedObjects(
  { kinds, only, isUsual }: MigrateOptions,
  io: Io,
): Promise<readonly WantedObjects[]> {
  if (only.length === 0) return kinds.map((kind) => ({ kind, places: undefined }));
  const texts = await Promise.all(only.map((file) => textOf(file, io)));
  const lines = texts
    .flatMap((text) => text.split(/\r?\n/))
    .map((line) => line.split('#', 1)[0]?.trim() ?? '');
  const found = new Map<MigratedKind, ObjectPlace[] | undefined>();
  for (const line of lines.filter((each) => each !== '')) {
    const [word = '', key, ...rest] = line.split(/\s+/);
    const kind = kindOf(word);
    if (rest.length > 0) throw new UsageError(`--only: ${line} is not KIND NAMESPACE/NAME`);
    const places = found.has(kind) ? found.get(kind) : [];
    found.set(kind, key === undefined || places === undefined ? undefined : [...places, placeIn(key, kind)]);
  }
  const wanted = [...found].map(([kind, places]) => ({ kind, places }));
  return isUsual ? wanted : wanted.filter(({ kind }) => kinds.includes(kind));
}

/**
 * The kubeconfig as kubectl finds it; undefined where there is none, so that the process is asked
 * which cluster it runs in.
 */
export async function kubeconfigFile(
  { kubeconfig }: Pick<MigrateOptions, 'kubeconfig'>,
  { env }: Pick<Io, 'env'>,
): Promise<string | undefined> {
  const named = kubeconfig ?? (env['KUBECONFIG'] || undefined);
  if (named !== undefined) {
    if (kubeconfig === undefined && named.includes(':'))
      throw new UsageError('$KUBECONFIG names several files: name one with --kubeconfig');
    return named;
  }
  const { HOME: home } = env;
  if (home === undefined || home === '') return undefined;
  const usual = join(home, '.kube', 'config');
  return access(usual).then(
    () => usual,
    () => undefined,
  );
}

function placeIn(key: string, kind: MigratedKind): ObjectPlace {
  const [first = '', second, ...rest] = key.split('/');
  const isWhole = rest.length === 0 && first !== '' && second !== '';
  if (!isWhole || kind.isNamespaced !== (second !== undefined))
    throw new UsageError(
      `--only: ${kind.resource} ${key} is not ${kind.isNamespaced ? 'KIND NAMESPACE/NAME' : 'KIND NAME'}`,
    );
  return second === undefined ? { namespace: undefined, name: first } : { namespace: first, name: second };
}

async function textOf(file: string, io: Io): Promise<string> {
  if (file === '-') return io.input();
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`${file} cannot be read (${why})`, { cause: error });
  }
}
