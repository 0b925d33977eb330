import { type Current, freshFile } from '../../base/state/watched-file.ts';
import { RegistryError } from '../../oci/errors.ts';
import { anonymous, type Credentials } from '../credential.ts';
import type { HelperQuestion } from '../helpers/answer.ts';
import type { CredentialHelpers } from '../helpers/helpers.ts';
import type { UpstreamCredentialFiles } from '../http/options.ts';
import { credentialFor, type FileHelper, parseLoginFile } from './login-file.ts';

/**
 * Credentials from files, read when they are used, so that a rotated secret needs no restart; from
 * the helpers that an auth file names; and for what no file has a login, from those of `exec`.
 */
export function credentialsFrom(
  files: UpstreamCredentialFiles | undefined,
  hosts: readonly string[],
  helpers?: CredentialHelpers,
): Credentials {
  if (files === undefined) return matching(hosts, helpers);
  if ('authFile' in files) return ofAuthFile(files.authFile, hosts, helpers);
  const username = freshFile(files.usernameFile, withoutLineEnd);
  const password = freshFile(files.passwordFile, withoutLineEnd);
  return {
    find: async () => ({ username: await read(username), password: await read(password) }),
    refused: () => false,
  };
}

/** A helper for the host goes before the file's own logins, as docker and podman have it. */
function ofAuthFile(path: string, hosts: readonly string[], helpers?: CredentialHelpers): Credentials {
  const file = freshFile(path, parseLoginFile);
  const others = matching(hosts, helpers);
  const ask = async (place: FileHelper | undefined, question: HelperQuestion) =>
    place && helpers?.named({ file: path, ...place }, question);
  return {
    async find(repository) {
      const { entries, helpers: own, store } = await read(file);
      const [name = ''] = hosts;
      const registry = hosts.find((host) => own.has(host)) ?? name;
      return (
        (await ask(own.get(registry), { registry, repository })) ??
        credentialFor(entries, hosts, repository) ??
        (await ask(own.has(registry) ? undefined : store, { registry: name, repository })) ??
        others.find(repository)
      );
    },
    refused: others.refused,
  };
}

/** The helpers of `exec`, by image. */
function matching(hosts: readonly string[], helpers: CredentialHelpers | undefined): Credentials {
  if (helpers === undefined) return anonymous;
  return {
    async find(repository) {
      for (const registry of hosts) {
        const found = await helpers.matching({ registry, repository });
        if (found !== undefined) return found;
      }
      return undefined;
    },
    refused: (credential) => helpers.refused(credential),
  };
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

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}
