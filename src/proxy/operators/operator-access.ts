// Room `proxy/operators`: health, readiness, and what operators may see and change. In: requests to
// the admin server. Out: answers of fixed form. Imports: base, fleet/protocol, oci, proxy/access,
// proxy/http; types of auth, auth/clusters, proxy/clients.

import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Subject } from '../../auth/access.ts';
import type { Operators } from '../../auth/clusters/operators.ts';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { challengeText } from '../../oci/challenge.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { FailedLogins } from '../access/auth-errors.ts';
import { authorizationOf } from '../access/authorization.ts';
import type { IsLocal } from '../clients/local-request.ts';
import { clientSignal } from '../http/body.ts';

/** How callers of the admin server are told apart. */
export interface CallerOptions {
  readonly isLocal: IsLocal;
  /** Who may come in from elsewhere. Default: none. */
  readonly operators?: Operators;
  readonly attempts: FailedLogins;
  /** Told of each request that changes something, and of each one as another user. */
  readonly operated: (event: OperatorEvent) => void;
}

/** Who sent a request to the admin server. */
export interface Caller {
  /** `local`, `tokenFile`, or the user's name at the cluster. */
  readonly name: string;
  /** False for a user of a cluster without the right to the path. */
  readonly isOperator: boolean;
  /** The user of a cluster, where there is one. */
  readonly subject?: Subject;
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
export function operatorDoor(scope: FastifyInstance, options: CallerOptions): void {
  const callerOf = createCallers(options);
  scope.addHook('onRequest', async (request, reply) => {
    const { name } = await callerOf(request, reply.raw);
    const { verb, path } = questionOf(request);
    if (verb !== 'get') options.operated({ operator: name, verb, path, client: request.ip });
  });
}

/**
 * Tells who sent a request. With `subjectOf` also users of clusters who are no operators come in:
 * their route decides what they see. Throws as `operatorDoor` says.
 */
export function createCallers(
  { isLocal, operators, attempts }: CallerOptions,
  subjectOf?: (token: string, address: string) => MaybePromise<Subject | undefined>,
) {
  /** A cluster that does not answer keeps no operator out. */
  async function subjectOrNone(token: string, address: string): Promise<Subject | undefined> {
    try {
      return await subjectOf?.(token, address);
    } catch {
      return undefined;
    }
  }

  return async (request: FastifyRequest, response: ServerResponse): Promise<Caller> => {
    const authorization = authorizationOf(request.headers, request.raw.rawHeaders);
    if (authorization === undefined) {
      if (isLocal(request.raw)) return { name: 'local', isOperator: true };
      throw operators === undefined ? notFromElsewhere() : challenge('a login is required from other hosts');
    }
    if (operators === undefined) throw notFromElsewhere();
    const [, token] = bearer.exec(authorization) ?? [];
    if (token === undefined) throw challenge('the login must be a bearer token');
    const verdict = await operators.judge(token, questionOf(request));
    const isOperator = verdict.kind === 'allowed';
    if (isOperator) {
      // A token of the file goes to no cluster.
      const known = verdict.name === 'tokenFile' ? undefined : await subjectOrNone(token, request.ip);
      return { name: verdict.name, isOperator, ...(known && { subject: known }) };
    }
    const subject = await subjectOf?.(token, request.ip);
    if (subject !== undefined) return { name: subject.name, isOperator, subject };
    if (verdict.kind === 'denied') throw notGranted(request);
    await attempts.failed(request.ip, clientSignal(response));
    throw challenge('the token is not known');
  };
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
