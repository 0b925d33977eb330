import { isDeepStrictEqual } from 'node:util';
import { field, fieldsOf, isText, jsonOrNone } from '../../base/text/json.ts';
import { type JsonKey, keysIn, withTexts } from './json-keys.ts';
import { coveringLogin, loginName } from './login-names.ts';
import type { ReferenceRules } from './rules.ts';

/** Why an object cannot be migrated, whatever the API server says. Holds no secret. */
export class MigrationFault extends Error {
  override readonly name = 'MigrationFault';
}

/** What becomes of logins whose images move. */
export type LoginChange =
  | { readonly kind: 'rename' }
  /** The login is there under both names. */
  | { readonly kind: 'copy' }
  /** None is renamed: the new places get these logins, by their names. */
  | { readonly kind: 'add'; readonly logins: ReadonlyMap<string, unknown> };

/** The entry of a pull secret that holds its logins. */
interface LoginFile {
  readonly entry: string;
  /** Leads to the object whose keys are names of registries. */
  readonly names: readonly string[];
}

/** By the type of the secret. */
export const loginFiles: Readonly<Record<string, LoginFile>> = {
  'kubernetes.io/dockercfg': { entry: '.dockercfg', names: [] },
  'kubernetes.io/dockerconfigjson': { entry: '.dockerconfigjson', names: ['auths'] },
};

/** A login file with other names of registries. */
interface ChangedLogins {
  /** Base64, as it stands in the secret. */
  readonly data: string;
  /** Each name as it was, and what stands there now. */
  readonly names: readonly (readonly [from: string, to: string])[];
}

interface ReadLogins {
  readonly text: string;
  readonly keys: readonly JsonKey[];
  /** By the text of their keys. */
  readonly logins: unknown;
}

/** The names of the logins in the secret. Throws `MigrationFault` for what cannot be read. */
export function loginKeys(secret: unknown): readonly string[] {
  const file = loginFiles[String(field(secret, 'type'))];
  const data = file && field(field(secret, 'data'), file.entry);
  if (file === undefined || typeof data !== 'string') return [];
  return parsedLogins(data, file).keys.map(({ key }) => key);
}

/**
 * The logins as the rules say; all bytes of the others stay. A login whose place has the same one
 * already stays too. Throws `MigrationFault` for two different ones at one place, for a name that
 * is written twice, of which readers take one, and for what cannot be read.
 */
export function changedLogins(data: string, file: LoginFile, rules: ReferenceRules): ChangedLogins {
  const read = parsedLogins(data, file);
  const { logins } = rules;
  const isCopied = logins.kind === 'copy';
  const texts =
    logins.kind === 'add' ? addedTexts(read, rules, logins.logins) : renamedTexts(read, rules, isCopied);
  return {
    data: Buffer.from(
      withTexts(read.text, read.keys, new Map([...texts].map(([key, { text }]) => [key, text]))),
    ).toString('base64'),
    names: [...texts].map(([{ key }, { told }]) => [key, told]),
  };
}

/** The logins of a docker or podman auth file, by their names; those of a helper are none. */
export function namedLogins(text: string): ReadonlyMap<string, unknown> {
  const auths = field(jsonOrNone(text), 'auths');
  const found = Object.entries(fieldsOf(auths)).filter(([, login]) => isText(field(login, 'auth')));
  return new Map(found);
}

/** What is written in place of a key, and how that is told. */
type KeyTexts = ReadonlyMap<JsonKey, { readonly text: string; readonly told: string }>;

function renamedTexts(
  { text, keys, logins }: ReadLogins,
  rules: ReferenceRules,
  isCopied: boolean,
): KeyTexts {
  const taken = new Map(
    keys
      .filter(({ key }) => rules.login(key) === key)
      .map(({ key }) => [loginName(key), { key, login: field(logins, key) }]),
  );
  const seen = new Set<string>();
  const twice = new Set(keys.flatMap(({ key }) => (seen.size === seen.add(key).size ? [key] : [])));
  const texts = new Map<JsonKey, { readonly text: string; readonly told: string }>();
  for (const key of keys) {
    const to = rules.login(key.key);
    if (to === key.key) continue;
    if (twice.has(key.key)) throw new MigrationFault(`it names ${key.key} twice: remove one of them`);
    const other = taken.get(loginName(to));
    const login = field(logins, key.key);
    if (other === undefined) {
      const old = text.slice(key.start, key.end);
      const both = `${entryText(to, login)},${old}`;
      texts.set(
        key,
        isCopied ? { text: both, told: `${key.key} and ${to}` } : { text: JSON.stringify(to), told: to },
      );
      taken.set(loginName(to), { key: key.key, login });
    } else if (!isCopied && !isDeepStrictEqual(other.login, login)) {
      throw new MigrationFault(
        `its logins for ${other.key} and ${key.key} would become one for ${to}: remove one of them`,
      );
    }
  }
  return texts;
}

/** Before the login for an old place, those for the new ones that the secret lacks. */
function addedTexts(
  { text, keys }: ReadLogins,
  rules: ReferenceRules,
  given: ReadonlyMap<string, unknown>,
): KeyTexts {
  const present = new Set(keys.map(({ key }) => key));
  const texts = new Map<JsonKey, { readonly text: string; readonly told: string }>();
  for (const key of keys) {
    const added: string[] = [];
    for (const place of rules.destinations(key.key)) {
      if (coveringLogin(present, place) !== undefined) continue;
      const name = coveringLogin(given.keys(), place);
      if (name === undefined) continue;
      present.add(name);
      added.push(name);
    }
    if (added.length === 0) continue;
    const entries = [
      ...added.map((name) => entryText(name, given.get(name))),
      text.slice(key.start, key.end),
    ];
    texts.set(key, { text: entries.join(','), told: `${key.key} and ${added.join(', ')}` });
  }
  return texts;
}

function entryText(name: string, login: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify(login)}`;
}

/** The parser's message quotes the text, which holds passwords: it goes no further. */
function parsedLogins(data: string, { entry, names }: LoginFile): ReadLogins {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(data, 'base64'),
    );
    const logins = names.reduce<unknown>(field, JSON.parse(text));
    return { text, keys: keysIn(text, names), logins };
  } catch {
    throw new MigrationFault(`its ${entry} is not JSON: which registries it names cannot be told`);
  }
}
