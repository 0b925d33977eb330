import { readFile } from 'node:fs/promises';
import { tokensIn } from '../../auth/clusters/operators.ts';
import type { Config } from '../../config/load.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Io, Run } from '../flags/io.ts';
import { configFile } from '../serve/config-file.ts';

/** How long the server may take to answer, milliseconds. */
const patienceMs = 10_000;

/**
 * `quayside access forget`: a running server drops what it remembers of people and their rights.
 * Shows a token where a file of tokens is named, by the option or by the settings. 1 where the
 * server cannot be told, or refuses.
 */
export const accessForget: Run = async (args, io) => {
  const { values, positionals } = parsed(args, {
    config: { type: 'string' },
    admin: { type: 'string' },
    'token-file': { type: 'string' },
  });
  const [word] = positionals;
  if (word !== undefined) throw new UsageError(`takes no argument ${word}; name a file by --config`);
  if (values.admin !== undefined && values.config !== undefined)
    throw new UsageError('takes --config or --admin, not both');
  const config = values.admin === undefined ? await configFile(values.config, io) : undefined;
  const url = forgetUrl(values.admin ?? adminUrl(config?.admin.listen));
  const token = await firstToken(values['token-file'] ?? config?.admin.tokenFile);
  const failure = await askToForget(url, token, io);
  if (failure === undefined) io.stdout.write(`${url.host}: forgotten\n`);
  else io.stderr.write(`quayside access forget: ${url.host} ${failure}\n`);
  return failure === undefined ? 0 : 1;
};

/** What went wrong, in words; undefined when nothing did. */
async function askToForget(url: URL, token: string | undefined, { signal }: Io): Promise<string | undefined> {
  try {
    const { status } = await fetch(url, {
      method: 'POST',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    });
    return status === 204 ? undefined : `answers with ${status}: ${refusals[status] ?? otherwise}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `cannot be asked (${cause instanceof Error && 'code' in cause ? cause.code : cause})`;
  }
}

function forgetUrl(base: string): URL {
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new UsageError('--admin needs a URL such as http://127.0.0.1:8401');
  return new URL('/access/forget', base);
}

const otherwise = 'not the admin listener of a running quayside';
const refusals: Readonly<Record<number, string>> = {
  401: 'it does not accept the token; name a file with a valid one by --token-file',
  403: 'it accepts neither this host nor the token; set admin.tokenFile or admin.cluster',
  429: 'too many logins failed from here; try again in a minute',
  503: 'it cannot verify the token now; its log says why',
};

/** Of all addresses of this host, loopback is the one that needs no login. */
function adminUrl(listen: Config['admin']['listen'] | undefined): string {
  if (listen === undefined || listen === false)
    throw new UsageError('admin.listen is off, so no server can be asked to forget');
  return `http://${listen.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:')}`;
}

async function firstToken(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    const [token] = tokensIn(await readFile(file, 'utf8'));
    if (token !== undefined) return token;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`cannot read a token from ${file}: ${why}`);
  }
  throw new UsageError(`there is no token in ${file}`);
}
