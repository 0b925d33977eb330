import { readFile } from 'node:fs/promises';
import { tokensIn } from '../../auth/clusters/operators.ts';
import type { Config } from '../../config/load.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import { configFile } from './config-file.ts';

/** What the options of a command say of the admin listener. */
interface AdminValues {
  readonly config?: string | undefined;
  readonly admin?: string | undefined;
  readonly 'token-file'?: string | undefined;
}

/** The admin listener of a running server. */
export interface AdminListener {
  /** `host:port` */
  readonly host: string;
  /** Sends a POST. Resolves also when there is no answer. */
  post(path: string, body?: object, signal?: AbortSignal): Promise<AdminAnswer>;
  /** Sends a GET likewise. */
  get(path: string, signal?: AbortSignal): Promise<AdminAnswer>;
}

/** An answer, or in words why there is none. */
export type AdminAnswer =
  | { readonly status: number; readonly text: string }
  | { readonly status: undefined; readonly text: string };

/** How long the server may take to answer, milliseconds. */
const patienceMs = 10_000;

/**
 * The listener that the options name. Shows a token where a file of tokens is named, by the option
 * or by the settings. Throws `UsageError`, and `ConfigError` for faulty settings.
 */
export async function adminListener(values: AdminValues, io: Io): Promise<AdminListener> {
  if (values.admin !== undefined && values.config !== undefined)
    throw new UsageError('takes --config or --admin, not both');
  const config = values.admin === undefined ? await configFile(values.config, io) : undefined;
  const base = parsedUrl(values.admin ?? adminUrl(config?.admin.listen));
  const token = await firstToken(values['token-file'] ?? config?.admin.tokenFile);
  return {
    host: base.host,
    post: (path, body, signal = io.signal) => sent('POST', new URL(path, base), { token, body, signal }),
    get: (path, signal = io.signal) => sent('GET', new URL(path, base), { token, body: undefined, signal }),
  };
}

/** What is wrong with an answer that no page of the listener gives, and what to do. */
export function refusalText(status: number): string {
  return `answers with ${status}: ${refusals[status] ?? 'not the admin listener of a running quayside'}`;
}

interface Sent {
  readonly token: string | undefined;
  readonly body: object | undefined;
  readonly signal: AbortSignal;
}

async function sent(method: 'GET' | 'POST', url: URL, { token, body, signal }: Sent): Promise<AdminAnswer> {
  try {
    const answer = await fetch(url, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error && 'code' in cause ? cause.code : cause;
    return { status: undefined, text: `cannot be asked (${why})` };
  }
}

function parsedUrl(base: string): URL {
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new UsageError('--admin needs a URL such as http://127.0.0.1:8401');
  return new URL(base);
}

const refusals: Readonly<Record<number, string>> = {
  401: 'it does not accept the token; name a file with a valid one by --token-file',
  403: 'it accepts neither this host nor the token; set admin.tokenFile or admin.cluster',
  429: 'too many logins failed from here; try again in a minute',
  503: 'it cannot verify the token now; its log says why',
};

/** Of all addresses of this host, loopback is the one that needs no login. */
function adminUrl(listen: Config['admin']['listen'] | undefined): string {
  if (listen === undefined || listen === false)
    throw new UsageError('admin.listen is off, so no server can be asked');
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
