import { oneLine } from '../../base/text/one-line.ts';
import type { Config, Environment } from '../../config/load.ts';
import { RegistryError } from '../../oci/errors.ts';
import { createConnection } from '../../upstream/client/connection.ts';
import { discard } from '../../upstream/exchange.ts';
import type { CredentialHelpers } from '../../upstream/helpers/helpers.ts';
import { settingsOf } from '../../upstream/http/options.ts';
import { type DeepFinding, deepCode } from './finding.ts';

/** For one upstream, milliseconds. */
const patienceMs = 15_000;

/** Asks the upstream for `GET /v2/` (end-1), with the login that is configured. */
export async function upstreamFinding(
  name: string,
  config: Config['upstreams'][string],
  env: Environment,
  helpers: CredentialHelpers,
): Promise<DeepFinding> {
  const what = `upstream ${name}`;
  const path = ['upstreams', name];
  const connection = createConnection(settingsOf({ ...config, name, env, helpers, retries: 0 }));
  try {
    const ask = {
      kind: 'ping',
      method: 'GET',
      url: connection.urlOf('/v2/'),
      signal: AbortSignal.timeout(patienceMs),
    } as const;
    const status = await connection.tried(ask, (answer) => {
      discard(answer);
      return answer.status;
    });
    if (status === 200) return { what, path, fine: 'answers GET /v2/ with 200' };
    if (status !== 401)
      return { what, path, fault: `${name} answers GET /v2/ with ${status}: is that its url?` };
    if (config.credentials === undefined)
      return { what, path, fine: 'answers GET /v2/ with 401: it wants a login, and none is configured' };
    const fault = `${name} does not accept the login: it answers GET /v2/ with 401`;
    return { what, path: [...path, 'credentials'], fault };
  } catch (error) {
    return { what, path: faultPath(path, error), fault: faultText(name, error) };
  } finally {
    await connection.close();
  }
}

function faultPath(path: readonly string[], error: unknown) {
  const isLogin = error instanceof RegistryError && error.code === 'DENIED';
  return isLogin ? [...path, 'credentials'] : path;
}

function faultText(name: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = deepCode(error);
  const known = code === undefined || message.includes(code) ? '' : ` (${code})`;
  const said = error instanceof RegistryError ? error.reply?.said : undefined;
  const quoted = said === undefined ? '' : `; it says ${said}`;
  return oneLine(`${message.replace(/\bthe upstream\b/, name)}${known}${quoted}${advice(code)}`, 400);
}

function advice(code: string | undefined): string {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ': check url and DNS';
    case 'ECONNREFUSED':
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return ': check url, proxy and firewalls';
    default:
      return '';
  }
}
