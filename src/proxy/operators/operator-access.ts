// Room `proxy/operators`: health, readiness, and what operators may see and change. In: requests to
// the admin server. Out: answers of fixed form. Imports: base, oci, proxy/access, proxy/http; types
// of auth/clusters, proxy/clients.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Operators } from '../../auth/clusters/operators.ts';
import { challengeText } from '../../oci/challenge.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { FailedLogins } from '../access/auth-errors.ts';
import { authorizationOf } from '../access/authorization.ts';
import type { IsLocal } from '../clients/local-request.ts';
import { clientSignal } from '../http/body.ts';

interface OperatorDoorOptions {
  readonly isLocal: IsLocal;
  /** Who may come in from elsewhere. Default: none. */
  readonly operators?: Operators;
  readonly attempts: FailedLogins;
  /** Told of each request that changes something. */
  readonly operated: (event: OperatorEvent) => void;
}

export interface OperatorEvent {
  /** `local`, `tokenFile`, or the user's name at the cluster. */
  readonly operator: string;
  readonly verb: string;
  readonly path: string;
  readonly client: string;
}

/** Before the path of a request in what a cluster is asked, as its `nonResourceURLs` have it. */
const prefix = '/quayside';
const bearer = /^Bearer +(\S+)$/i;

/**
 * Lets operators alone reach the routes of a scope: from this host, or with a token. One that is
 * shown decides by itself, also from this host. Throws `UNAUTHORIZED`, `DENIED`, and `UNAVAILABLE`
 * when it cannot be told; the body is not read before.
 */
export function operatorDoor(scope: FastifyInstance, options: OperatorDoorOptions): void {
  const { isLocal, operators, operated } = options;

  async function operatorOf(request: FastifyRequest, leaving: () => AbortSignal): Promise<string> {
    const authorization = authorizationOf(request.headers, request.raw.rawHeaders);
    if (authorization === undefined) {
      if (isLocal(request.raw)) return 'local';
      throw operators === undefined ? notFromElsewhere() : challenge('a login is required from other hosts');
    }
    if (operators === undefined) throw notFromElsewhere();
    const [, token] = bearer.exec(authorization) ?? [];
    if (token === undefined) throw challenge('the login must be a bearer token');
    const verdict = await operators.judge(token, questionOf(request));
    if (verdict.kind === 'allowed') return verdict.name;
    if (verdict.kind === 'denied') throw notGranted(request);
    await options.attempts.failed(request.ip, leaving());
    throw challenge('the token is not known');
  }

  scope.addHook('onRequest', async (request, reply) => {
    const operator = await operatorOf(request, () => clientSignal(reply.raw));
    const { verb, path } = questionOf(request);
    if (verb !== 'get') operated({ operator, verb, path, client: request.ip });
  });
}

function questionOf({ method, routeOptions }: FastifyRequest) {
  return { verb: method.toLowerCase(), path: prefix + (routeOptions.url ?? '') };
}

function challenge(message: string): RegistryError {
  const headers = { 'www-authenticate': challengeText('Bearer', { realm: 'quayside' }) };
  return new RegistryError('UNAUTHORIZED', message, { headers });
}

function notFromElsewhere(): RegistryError {
  const message = 'only loopback clients may call this; set admin.tokenFile or admin.cluster to allow logins';
  return new RegistryError('DENIED', message);
}

function notGranted(request: FastifyRequest): RegistryError {
  const { verb, path } = questionOf(request);
  return new RegistryError('DENIED', `the cluster grants no right to ${verb} ${path}`);
}
