import { isDeepStrictEqual } from 'node:util';
import { field } from '../base/text/json.ts';
import { keysIn, withKeys } from './json-keys.ts';
import { loginName, type ReferenceRules } from './rules.ts';

/** Why an object cannot be migrated, whatever the API server says. Holds no secret. */
export class MigrationFault extends Error {
  override readonly name = 'MigrationFault';
}

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
interface RenamedLogins {
  /** Base64, as it stands in the secret. */
  readonly data: string;
  /** Each name as it was and as it is. */
  readonly names: readonly (readonly [from: string, to: string])[];
}

/**
 * Renames the logins; all other bytes stay. A login whose place has the same one already stays too.
 * Throws `MigrationFault` for two different ones at one place, for a name that is written twice, of
 * which readers take one, and for what cannot be read.
 */
export function renamedLogins(
  data: string,
  { entry, names }: LoginFile,
  rules: ReferenceRules,
): RenamedLogins {
  const { text, logins } = parsedLogins(data, { entry, names });
  const keys = keysIn(text, names);
  const taken = new Map(
    keys
      .filter(({ key }) => rules.login(key) === key)
      .map(({ key }) => [loginName(key), { key, login: field(logins, key) }]),
  );
  const seen = new Set<string>();
  const twice = new Set(keys.flatMap(({ key }) => (seen.size === seen.add(key).size ? [key] : [])));
  const renamed = new Map<(typeof keys)[number], string>();
  for (const key of keys) {
    const to = rules.login(key.key);
    if (to === key.key) continue;
    if (twice.has(key.key)) throw new MigrationFault(`it names ${key.key} twice: remove one of them`);
    const other = taken.get(loginName(to));
    const login = field(logins, key.key);
    if (other === undefined) {
      renamed.set(key, to);
      taken.set(loginName(to), { key: key.key, login });
    } else if (!isDeepStrictEqual(other.login, login)) {
      throw new MigrationFault(
        `its logins for ${other.key} and ${key.key} would become one for ${to}: remove one of them`,
      );
    }
  }
  return {
    data: Buffer.from(withKeys(text, keys, renamed)).toString('base64'),
    names: [...renamed].map(([{ key }, to]) => [key, to]),
  };
}

/** The parser's message quotes the text, which holds passwords: it goes no further. */
function parsedLogins(
  data: string,
  { entry, names }: LoginFile,
): { readonly text: string; readonly logins: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(data, 'base64'),
    );
    return { text, logins: names.reduce<unknown>(field, JSON.parse(text)) };
  } catch {
    throw new MigrationFault(`its ${entry} is not JSON: which registries it names cannot be told`);
  }
}
