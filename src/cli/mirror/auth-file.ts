import { access, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../config/load.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type CredentialHelpers, createCredentialHelpers } from '../../upstream/helpers/helpers.ts';
import { parseAuthFile } from '../../upstream/login/login-file.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';

/**
 * The file with the user's logins: the given one, that of `REGISTRY_AUTH_FILE`, else the first that
 * exists of podman's and docker's. Undefined when there is none; throws `UsageError` for a named
 * file that does not exist, and for one that is not JSON.
 */
export async function authFile(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const named = given ?? env['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') {
    if (await isReadable(named)) return proven(named);
    throw new UsageError(`the logins in ${named} cannot be read`);
  }
  for (const path of usualFiles(env)) if (await isReadable(path)) return proven(path);
  return undefined;
}

/** No cause: what JSON.parse throws quotes the text, which is a secret. */
async function proven(path: string): Promise<string> {
  try {
    parseAuthFile(await readFile(path, 'utf8'));
    return path;
  } catch (error) {
    const why = error instanceof RegistryError ? ': the file is not JSON' : '';
    throw new UsageError(`the logins in ${path} cannot be read${why}`);
  }
}

function usualFiles(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const home = env['HOME'] ?? homedir();
  const runtime = env['XDG_RUNTIME_DIR'];
  return [
    ...(runtime === undefined ? [] : [join(runtime, 'containers/auth.json')]),
    join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers/auth.json'),
    join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
  ];
}

/** What helpers on a user's own machine need of its session. */
const sessionVariables = [
  'AWS_PROFILE',
  'AWS_REGION',
  'CLOUDSDK_CONFIG',
  'DBUS_SESSION_BUS_ADDRESS',
  'GNUPGHOME',
  'GPG_TTY',
  'PASSWORD_STORE_DIR',
  'PATH',
  'XDG_RUNTIME_DIR',
];

/**
 * The credential helpers of a command: as the settings have them, else those in the directories of
 * `QUAYSIDE_CREDENTIAL_HELPERS`, with a colon between two. One that is not run is a warning.
 */
export function commandHelpers(
  { env, stderr }: Pick<Io, 'env' | 'stderr'>,
  config?: Config,
): CredentialHelpers {
  const named = env['QUAYSIDE_CREDENTIAL_HELPERS'] ?? '';
  const directories = named.split(':').filter((directory) => directory.startsWith('/'));
  const usual = { directories, environment: sessionVariables, timeoutMs: 60_000, keepMs: 300_000, exec: [] };
  const given = config?.credentialHelpers;
  return createCredentialHelpers({
    ...(given === undefined || given.directories.length === 0 ? usual : given),
    env,
    events: {
      helperRefused: ({ file, key, helper, reason }) =>
        stderr.write(`warning: ${file}: ${key} names the credential helper ${helper}: ${reason}\n`),
    },
  });
}

async function isReadable(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
