import { field, jsonOrNone, textOf } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { UpstreamCredential } from '../credential.ts';
import type { Helper, HelperAnswer } from './answer.ts';
import type { ProgramEnd } from './program.ts';

/** Runs a program by its file name, with its input. Throws as `Helper.ask`. */
export type RunHelper = (
  file: string,
  call: { readonly args: readonly string[]; readonly input: string },
) => Promise<ProgramEnd>;

/** What a helper says on its standard output where it has no login (docker-credential-helpers). */
const absent = /credentials not found|no credentials (?:server URL|username)/i;
/** For how long that is believed at most, milliseconds. */
const longestAbsentMs = 30_000;
/** The user name that says that the secret is a refresh token. */
const tokenUser = '<token>';
/** docker's own name for its registry, which goes by several. */
const hub = 'https://index.docker.io/v1/';
const hubNames: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** The file of a helper, by the name that auth files have. */
export function dockerFile(name: string): string {
  return `docker-credential-${name}`;
}

/**
 * A credential helper of docker, `docker-credential-<name>`: `get`, with the registry on standard
 * input. Its answers say nothing of their life: they are kept for `keepMs`.
 */
export function dockerHelper(name: string, { run, keepMs }: { run: RunHelper; keepMs: number }): Helper {
  const file = dockerFile(name);
  return {
    name: file,
    async ask({ registry }): Promise<HelperAnswer> {
      const server = hubNames.has(registry) ? hub : registry;
      const end = await run(file, { args: ['get'], input: `${server}\n` });
      const credential = credentialOf(end, file);
      return {
        scope: 'Registry',
        keepMs: credential === undefined ? Math.min(keepMs, longestAbsentMs) : keepMs,
        logins: credential === undefined ? [] : [{ credential }],
      };
    },
  };
}

/** Its failures too are on standard output, which is never quoted. */
function credentialOf({ code, stdout, stderr }: ProgramEnd, file: string): UpstreamCredential | undefined {
  const text = Buffer.from(stdout).toString('utf8');
  if (code !== 0 && absent.test(text)) return undefined;
  if (code !== 0) throw helperFailure(file, `failed (exit code ${code ?? 'none'})`, stderr);
  const answer = jsonOrNone(text);
  const secret = textOf(field(answer, 'Secret'));
  const username = textOf(field(answer, 'Username'));
  if (answer === undefined) throw helperFailure(file, 'answered with something that is not JSON', stderr);
  if (secret === undefined) return undefined;
  if (username === tokenUser) return { username, identityToken: secret };
  if (username === undefined) throw helperFailure(file, 'answered without a Username', stderr);
  return { username, password: secret };
}

/** In words that a client may read; what the program complained of is for the log. */
export function helperFailure(file: string, what: string, stderr: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `the credential helper ${file} ${what}`, {
    cause: stderr === '' ? cause : new Error(stderr, { cause }),
    retry: 'later',
  });
}
