import { type Fields, field, isText } from '../base/text/json.ts';
import type { FieldFinder, FieldPath } from './fields.ts';
import type { MigratedKind } from './kinds.ts';
import { changedLogins, loginFiles, MigrationFault } from './rules/logins.ts';
import { againText, type ReferenceRules } from './rules/rules.ts';

/** One field with another value. */
interface FieldChange {
  readonly path: FieldPath;
  readonly value: string;
  /** For people; of a secret the names of registries alone. */
  readonly told: readonly ToldChange[];
}

/** What was and what is to be, for people. */
export interface ToldChange {
  /** `spec.containers[0].image` */
  readonly where: string;
  readonly from: string;
  readonly to: string;
}

/** What is to be changed in an object. */
interface ObjectChanges {
  /** What is written first. */
  readonly history: readonly FieldChange[];
  readonly rest: readonly FieldChange[];
  /** References that stay because they name a digest, and their line a tag. */
  readonly pinned: number;
}

/** Throws `MigrationFault` where the object cannot be changed without a loss. */
export function changesOf(object: unknown, kind: MigratedKind, rules: ReferenceRules): ObjectChanges {
  const finders = [kind.fields, ...(kind.history === undefined ? [] : [kind.history])];
  const pinned = finders.flatMap((find) => find(object)).filter(({ text }) => rules.isPinned(text)).length;
  if (kind.hasLogins === true) return { history: [], rest: loginChanges(object, rules), pinned };
  const history = kind.history === undefined ? [] : fieldChanges(object, kind.history, rules);
  const rest = fieldChanges(object, kind.fields, rules);
  if (kind.isFixed !== undefined && rest.length > 0) throw new MigrationFault(kind.isFixed);
  return { history, rest, pinned };
}

/**
 * The changes as a JSON patch (RFC 6902). With the version that was read, so that the server
 * refuses it (409) when the object has changed since.
 */
export function jsonPatch(object: unknown, changes: readonly FieldChange[]): string {
  const version = field(field(object, 'metadata'), 'resourceVersion');
  if (!isText(version)) throw new MigrationFault('it has no resourceVersion');
  return JSON.stringify(
    [{ path: ['metadata', 'resourceVersion'], value: version }, ...changes].map(({ path, value }) => ({
      op: 'replace',
      path: path.map((name) => `/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
      value,
    })),
  );
}

/** The object with the changes. The one that was given stays as it is. */
export function changed(object: Fields, changes: readonly FieldChange[]): Fields {
  const copy = structuredClone(object);
  for (const { path, value } of changes) {
    const holder = path.slice(0, -1).reduce<unknown>(field, copy);
    if (typeof holder === 'object' && holder !== null) Reflect.set(holder, path.at(-1) ?? '', value);
  }
  return copy;
}

function fieldChanges(object: unknown, find: FieldFinder, rules: ReferenceRules): readonly FieldChange[] {
  return find(object).flatMap(({ path, text, names }) => {
    const to = names === 'image' ? rules.reference(text) : rules.repository(text);
    if (to === text) return [];
    const again = againText(rules, text);
    if (again !== undefined) throw new MigrationFault(`the mappings lead on: ${again}`);
    return [{ path, value: to, told: [{ where: pathText(path), from: text, to }] }];
  });
}

function loginChanges(object: unknown, rules: ReferenceRules): readonly FieldChange[] {
  const file = loginFiles[String(field(object, 'type'))];
  const data = file && field(field(object, 'data'), file.entry);
  if (file === undefined || !isText(data)) return [];
  const changed = changedLogins(data, file, rules);
  if (changed.names.length === 0) return [];
  const where = file.names.join('.') || file.entry;
  const told = changed.names.map(([from, to]) => ({ where, from, to }));
  return [{ path: ['data', file.entry], value: changed.data, told }];
}

function pathText(path: FieldPath): string {
  return path.reduce<string>(
    (text, name) => (typeof name === 'number' ? `${text}[${name}]` : text === '' ? name : `${text}.${name}`),
    '',
  );
}
