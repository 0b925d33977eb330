// Room `proxy/operators`: health, readiness, and what operators may see and change. In: requests to
// the admin server. Out: answers of fixed form. Imports: base, fleet/protocol, oci, proxy,
// proxy/access, proxy/http; types of auth, auth/clusters, proxy/clients.

import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Subject } from '../../auth/access.ts';
import type { Operators } from '../../auth/clusters/operators.ts';
import type { PathQuestion } from '../../auth/question.ts';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { challengeText } from '../../oci/challenge.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { FailedLogins } from '../access/auth-errors.ts';
import { authorizationOf } from '../access/authorization.ts';
import type { IsLocal } from '../clients/local-request.ts';
import { clientSignal } from '../http/body.ts';
import { browserToken, endedLogin, type SealedLogins } from './browser-login.ts';

/** How callers of the admin server are told apart. */
export interface CallerOptions {
  readonly isLocal: IsLocal;
  /** Who may come in from elsewhere. Default: none. */
  readonly operators?: Operators;
  readonly attempts: FailedLogins;
  /** Opens the logins of browsers. Default: a browser has none. */
  readonly logins?: SealedLogins;
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
  const callers = createCallers(options);
  scope.addHook('onRequest', async (request, reply) => {
    const { name } = await callers.of(request, reply.raw);
    const { verb, path } = questionOf(request);
    if (verb !== 'get') options.operated({ operator: name, verb, path, client: request.ip });
  });
}

/** Tells who sent a request. Both throw as `operatorDoor` says. */
export interface Callers {
  /** By the token of the request, by that of its browser's login, or as one of this host. */
  of(request: FastifyRequest, response: ServerResponse): Promise<Caller>;
  /** By that token, who may `get` that path. */
  ofToken(token: string, path: string, request: FastifyRequest, response: ServerResponse): Promise<Caller>;
}

/**
 * With `subjectOf` also users of clusters who are no operators come in: their route decides what
 * they see.
 */
export function createCallers(
  { isLocal, operators, attempts, logins }: CallerOptions,
  subjectOf?: (token: string, address: string) => MaybePromise<Subject | undefined>,
): Callers {
  /** A cluster that does not answer keeps no operator out. */
  async function subjectOrNone(token: string, address: string): Promise<Subject | undefined> {
    try {
      return await subjectOf?.(token, address);
    } catch {
      return undefined;
    }
  }

  /** Undefined for a token that neither the file nor a cluster knows. */
  async function knownBy(
    token: string,
    question: PathQuestion,
    address: string,
  ): Promise<Caller | undefined> {
    if (operators === undefined) throw notFromElsewhere();
    const verdict = await operators.judge(token, question);
    const isOperator = verdict.kind === 'allowed';
    if (isOperator) {
      // A token of the file goes to no cluster.
      const known = verdict.name === 'tokenFile' ? undefined : await subjectOrNone(token, address);
      return { name: verdict.name, isOperator, ...(known && { subject: known }) };
    }
    const subject = await subjectOf?.(token, address);
    if (subject !== undefined) return { name: subject.name, isOperator, subject };
    if (verdict.kind === 'denied') throw notGranted(question);
    return undefined;
  }

  async function shown(
    token: string,
    question: PathQuestion,
    request: FastifyRequest,
    response: ServerResponse,
  ): Promise<Caller> {
    const caller = await knownBy(token, question, request.ip);
    if (caller !== undefined) return caller;
    await attempts.failed(request.ip, clientSignal(response));
    throw challenge('the token is not known');
  }

  return {
    async of(request, response) {
      const authorization = authorizationOf(request.headers, request.raw.rawHeaders);
      const question = questionOf(request);
      if (authorization !== undefined) {
        if (operators === undefined) throw notFromElsewhere();
        const [, token] = bearer.exec(authorization) ?? [];
        if (token === undefined) throw challenge('the login must be a bearer token');
        return shown(token, question, request, response);
      }
      const token = logins && (await browserToken(request, logins));
      if (token !== undefined) {
        const caller = await knownBy(token, question, request.ip);
        if (caller !== undefined) return caller;
        // No guess: the token was known when its browser logged in.
        throw challenge('the login of this browser is over', { 'set-cookie': endedLogin });
      }
      if (isLocal(request.raw)) return { name: 'local', isOperator: true };
      throw operators === undefined ? notFromElsewhere() : challenge('a login is required from other hosts');
    },
    ofToken: (token, path, request, response) =>
      shown(token, { verb: 'get', path: prefix + path }, request, response),
  };
}

function questionOf({ method, routeOptions }: FastifyRequest): PathQuestion {
  return { verb: method.toLowerCase(), path: prefix + (routeOptions.url ?? '') };
}

function challenge(message: string, more: Readonly<Record<string, string>> = {}): RegistryError {
  const headers = { 'www-authenticate': challengeText('Bearer', { realm: 'quayside' }), ...more };
  return new RegistryError('UNAUTHORIZED', message, { headers });
}

function notFromElsewhere(): RegistryError {
  const message = 'only loopback clients may call this; set admin.tokenFile or admin.cluster to allow logins';
  return new RegistryError('DENIED', message);
}

function notGranted({ verb, path }: PathQuestion): RegistryError {
  return new RegistryError('DENIED', `the cluster grants no right to ${verb} ${path}`);
}
