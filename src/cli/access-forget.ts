import type { Config } from '../config.ts';
import { parsed, UsageError } from './arguments.ts';
import { configFile } from './config-file.ts';
import type { Io, Run } from './io.ts';

/** How long the server may take to answer, milliseconds. */
const patienceMs = 10_000;

/** `quayside access forget`: a running server drops what it remembers of people and their rights. 1 where that cannot be said. */
export const accessForget: Run = async (args, io) => {
  const { values, positionals } = parsed(args, { config: { type: 'string' }, admin: { type: 'string' } });
  const [word] = positionals;
  if (word !== undefined) throw new UsageError(`takes no ${word}; a file goes behind --config`);
  if (values.admin !== undefined && values.config !== undefined)
    throw new UsageError('takes --config or --admin, not both');
  const url = forgetUrl(values.admin ?? adminUrl(await configFile(values.config, io)));
  const failure = await askedToForget(url, io);
  if (failure === undefined) io.stdout.write(`${url.host}: forgotten\n`);
  else io.stderr.write(`quayside access forget: ${url.host} ${failure}\n`);
  return failure === undefined ? 0 : 1;
};

/** What went wrong, in words; undefined when nothing did. */
async function askedToForget(url: URL, { signal }: Io): Promise<string | undefined> {
  try {
    const { status } = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    });
    return status === 204 ? undefined : `answers with ${status}: no admin listener of a running quayside`;
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

function adminUrl({ admin }: Config): string {
  if (admin.listen === false) throw new UsageError('admin.listen is off, so nobody can be asked to forget');
  return `http://${admin.listen}`;
}
