import { type Current, freshFile } from '../../base/state/watched-file.ts';
import { field, jsonOrNone, textOf } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { UpstreamCredentialFiles } from '../http/options.ts';

/** What we log in with. */
export type UpstreamCredential =
  | { readonly username: string; readonly password: string }
  /** A refresh token of the registry's (docker's `identitytoken`). */
  | { readonly username: string; readonly identityToken: string };

/** The credential for a repository, or undefined for anonymous. Throws `UNAVAILABLE`. */
export type Credentials = (repository: string) => Promise<UpstreamCredential | undefined>;

/** Credentials from files, read when they are used, so that a rotated secret needs no restart. */
export function credentialsFrom(
  files: UpstreamCredentialFiles | undefined,
  hosts: readonly string[],
): Credentials {
  if (files === undefined) return async () => undefined;
  if ('authFile' in files) {
    const entries = freshFile(files.authFile, parseAuthFile);
    return async (repository) => credentialFor(await read(entries), hosts, repository);
  }
  const username = freshFile(files.usernameFile, withoutLineEnd);
  const password = freshFile(files.passwordFile, withoutLineEnd);
  return async () => ({ username: await read(username), password: await read(password) });
}

/** The entries of a docker or podman auth file by prefix. Its own text never gets into an error. */
export function parseAuthFile(text: string): ReadonlyMap<string, UpstreamCredential> {
  const auths = field(parsedJson(text), 'auths');
  if (typeof auths !== 'object' || auths === null) return new Map();
  const entries = Object.entries(auths).flatMap(([key, entry]: [string, unknown]) => {
    const credential = authFileCredential(entry);
    return credential === undefined ? [] : [[prefixOf(key), credential] as const];
  });
  return new Map(entries);
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

async function read<T>(file: Current<T>): Promise<T> {
  try {
    return await file();
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    throw new RegistryError('UNAVAILABLE', 'the credentials for the upstream cannot be read', {
      cause: error,
    });
  }
}

/** No cause: what JSON.parse throws quotes the text, which is a secret. */
function parsedJson(text: string): unknown {
  const value = jsonOrNone(text);
  if (value !== undefined) return value;
  throw new RegistryError('UNAVAILABLE', 'the auth file for the upstream is not JSON', { retry: 'later' });
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

/** Docker writes some keys as URLs: `https://index.docker.io/v1/` is the host `index.docker.io`. */
function prefixOf(key: string): string {
  return key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/(?<!\/)\/+$/, '');
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}
