import { field, fieldsOf, jsonOrNone, textOf } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { UpstreamCredential } from '../credential.ts';

/** A docker or podman auth file (config.json, auth.json, `.dockerconfigjson`). */
export interface FileLogins {
  /** Logins by prefix of `<host>/<repository>`. */
  readonly entries: ReadonlyMap<string, UpstreamCredential>;
  /** Helpers by host. */
  readonly helpers: ReadonlyMap<string, FileHelper>;
  /** The helper for every other host. */
  readonly store?: FileHelper;
}

/** A helper that a file names. */
export interface FileHelper {
  /** Where it stands: `credsStore`, or `credHelpers.` and the host. */
  readonly key: string;
  /** As it is written. */
  readonly helper: unknown;
}

/** Its logins and its helpers. Its own text never gets into an error. Throws `UNAVAILABLE`. */
export function parseLoginFile(text: string): FileLogins {
  const file = parsedJson(text);
  const auths = Object.entries(fieldsOf(field(file, 'auths')));
  const helpers = Object.entries(fieldsOf(field(file, 'credHelpers')));
  const store = field(file, 'credsStore');
  return {
    entries: new Map(
      auths.flatMap(([key, entry]) => {
        const credential = authFileCredential(entry);
        return credential === undefined ? [] : [[prefixOf(key), credential] as const];
      }),
    ),
    helpers: new Map(
      helpers
        .filter(([, helper]) => isNamed(helper))
        .map(([key, helper]) => [prefixOf(key), { key: `credHelpers.${key}`, helper }]),
    ),
    ...(isNamed(store) ? { store: { key: 'credsStore', helper: store } } : {}),
  };
}

/** Both tools write an empty text for none. */
function isNamed(helper: unknown): boolean {
  return helper !== undefined && helper !== null && helper !== '';
}

/** The entries of a docker or podman auth file by prefix. */
export function parseAuthFile(text: string): FileLogins['entries'] {
  return parseLoginFile(text).entries;
}

/** The entry with the longest prefix of `<host>/<repository>`, for the first host with one. */
export function credentialFor(
  entries: ReadonlyMap<string, UpstreamCredential>,
  hosts: readonly string[],
  repository: string,
): UpstreamCredential | undefined {
  for (const host of hosts) {
    const components = repository.split('/');
    for (let length = components.length; length >= 0; length -= 1) {
      const found = entries.get([host, ...components.slice(0, length)].join('/'));
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The login of one entry of an auth file; undefined for one without, as of a credential helper. */
export function authFileCredential(entry: unknown): UpstreamCredential | undefined {
  // Docker pads what it encodes with NUL.
  const [pair = ''] = Buffer.from(textOf(field(entry, 'auth')) ?? '', 'base64')
    .toString('utf8')
    .split('\0', 1);
  const colon = pair.indexOf(':');
  const username = textOf(field(entry, 'username')) ?? pair.slice(0, Math.max(0, colon));
  const identityToken = textOf(field(entry, 'identitytoken'));
  if (identityToken !== undefined) return { username, identityToken };
  const password = textOf(field(entry, 'password')) ?? (colon < 0 ? undefined : pair.slice(colon + 1));
  return password === undefined || username === '' ? undefined : { username, password };
}

/** No cause: what JSON.parse throws quotes the text, which is a secret. */
function parsedJson(text: string): unknown {
  const value = jsonOrNone(text);
  if (value !== undefined) return value;
  throw new RegistryError('UNAVAILABLE', 'the auth file for the upstream is not JSON', { retry: 'later' });
}

/** Docker writes some keys as URLs: `https://index.docker.io/v1/` is the host `index.docker.io`. */
function prefixOf(key: string): string {
  return key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/(?<!\/)\/+$/, '');
}
