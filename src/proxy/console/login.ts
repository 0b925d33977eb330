import type { FastifyInstance, FastifyRequest } from 'fastify';
import { field, isText } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import { endedLogin, endLogin, hasLogin, loginCookie, requireOwnPage } from '../operators/browser-login.ts';
import { json } from '../operators/mirror-api.ts';
import type { Caller, CallerOptions, Callers } from '../operators/operator-access.ts';

interface ConsoleLoginOptions extends CallerOptions {
  readonly callers: Callers;
}

/** How long the login of a browser lasts, seconds: a working day. */
export const loginSeconds = 8 * 3600;

const longestBody = 16 * 1024;

/**
 * `POST /console/login` with `token` keeps a login in the browser, for those who may get
 * `/console`; `POST /console/logout` ends it. `GET /console/me` says who looks.
 */
export function consoleLogin(app: FastifyInstance, options: ConsoleLoginOptions): void {
  const { callers, logins, operated } = options;

  app.get('/console/me', async (request, reply) => {
    const caller = await callers.of(request, reply.raw);
    void reply.header('cache-control', 'no-store');
    return json(reply, viewerOf(caller, request));
  });

  app.post('/console/login', { bodyLimit: longestBody }, async (request, reply) => {
    requireOwnPage(request);
    const token = field(request.body, 'token');
    if (!isText(token)) throw new RegistryError('NAME_INVALID', 'token must be a text that is not empty');
    const caller = await callers.ofToken(token.trim(), '/console', request, reply.raw);
    const sealed = await logins?.seal(token.trim());
    if (sealed === undefined)
      throw new RegistryError(
        'NAME_INVALID',
        'the token is too long for a cookie: use that of a service account, or quayside --token-file',
      );
    told('login', caller, request);
    void reply.headers({
      'set-cookie': loginCookie(sealed, loginSeconds, request),
      'cache-control': 'no-store',
    });
    return json(reply, { ...viewerOf(caller, request), hasLogin: true });
  });

  app.post('/console/logout', { bodyLimit: longestBody }, async (request, reply) => {
    requireOwnPage(request);
    if (logins !== undefined) await endLogin(request, logins);
    return reply.headers({ 'set-cookie': endedLogin, 'cache-control': 'no-store' }).code(204).send();
  });

  function told(verb: string, { name }: Caller, { ip }: FastifyRequest): void {
    operated({ operator: name, verb, path: '/quayside/console/login', client: ip });
  }
}

function viewerOf({ name, isOperator }: Caller, request: FastifyRequest): object {
  return { name, isOperator, hasLogin: hasLogin(request) };
}
