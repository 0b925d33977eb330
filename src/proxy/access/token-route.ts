import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Attempts } from '../../auth/attempts.ts';
import type { Grant, Locate, LoginForm, Unidentified } from '../../auth/guards/guard.ts';
import { challengeText } from '../../oci/challenge.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Limit } from '../clients/limits.ts';
import type { ProxyEvents } from '../events.ts';
import { clientSignal } from '../http/body.ts';
import { failureOf } from '../http/failure.ts';
import { logFailure, noteFailure } from '../http/failure-hooks.ts';
import { FailedLogin, type FailedLogins, heldBack, isHeldBack, refusals } from './auth-errors.ts';
import { authorizationOf } from './authorization.ts';
import { type Challenger, tokenPath } from './challenge.ts';
import type { EnterBy } from './entrance.ts';
import type { Host } from './hosts.ts';
import type { Router } from './route.ts';

export interface TokenRouteOptions {
  /** The router finds the repositories that tokens are asked for. */
  readonly enter: EnterBy<'hosts' | 'route' | 'challenge'>;
  /** Delays guesses. Default: none. */
  readonly attempts?: FailedLogins & { readonly succeeded?: Attempts['succeeded'] };
  /** How many logins are looked at at once. */
  readonly limit: Limit;
  readonly events?: Partial<ProxyEvents>;
}

/** A login, by what the configuration said when it came. */
interface LoginQuestion {
  readonly login: LoginForm | Unidentified;
  readonly scopes: readonly string[];
  readonly entrance: ReturnType<TokenRouteOptions['enter']>['value'];
}

const form = 'application/x-www-form-urlencoded';
const longestForm = 16 * 1024;

/**
 * The token end-point (token protocol of the Docker registry): GET with Basic, or POST with
 * `grant_type=password`, as containerd tries first. Without a scope the token is for a ping. Throws
 * `UNAUTHORIZED`, `TOOMANYREQUESTS` after too many wrong logins, `NAME_UNKNOWN` without logins.
 */
export function tokenRoute(app: FastifyInstance, options: TokenRouteOptions): void {
  const { enter, attempts, limit, events } = options;

  /** A failed login waits for its answer without a slot: guesses hold no slots. */
  async function inTurn<Value>({ raw, record }: FastifyReply, work: () => Promise<Value>): Promise<Value> {
    const leave = await limit.enter(() => clientSignal(raw), record.client);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    login: LoginForm | Unidentified,
    scopes: readonly string[],
  ): Promise<Buffer> {
    const { value, leave } = enter();
    try {
      return await granted(request, reply, { login, scopes, entrance: value });
    } finally {
      leave();
    }
  }

  async function granted(
    request: FastifyRequest,
    reply: FastifyReply,
    { login, scopes, entrance }: LoginQuestion,
  ): Promise<Buffer> {
    const { route, challenge } = entrance;
    const host = entrance.hosts(request.headers.host);
    const { guard } = host;
    if (guard === undefined) throw new RegistryError('NAME_UNKNOWN', 'this host needs no login');
    const grant = () =>
      'refused' in login ? login : guard.grant(login, scopes, locator(route, host), reply.record.client);
    const authority = request.headers.host ?? '';
    const refusal = (why: Unidentified['refused']) => refused(why, host, { challenge, authority });
    try {
      return await told(await inTurn(reply, async () => grant()), refusal, reply);
    } catch (error) {
      if (attempts !== undefined && isHeldBack(error))
        throw await heldBack(error, attempts, [reply.record.client, clientSignal(reply.raw)]);
      if (error instanceof RegistryError || host.challenge !== 'plain') throw error;
      return notSigned(error, request, reply);
    }
  }

  async function told(
    answer: Grant | Unidentified,
    refusalOf: (why: Unidentified['refused']) => RegistryError,
    reply: FastifyReply,
  ): Promise<Buffer> {
    if ('refused' in answer) {
      events?.accessRefused?.({ reason: answer.refused === 'absent' ? 'anonymous' : 'credential' });
      const refusal = refusalOf(answer.refused);
      throw answer.refused === 'wrong' ? new FailedLogin(refusal, answer.token) : refusal;
    }
    events?.tokenIssued?.();
    const { subject, token, expiresInSeconds: expires_in, issuedAt } = answer;
    reply.record.subject = subject.name;
    if (subject.cluster !== undefined) {
      reply.record.cluster = subject.cluster;
      attempts?.succeeded?.(reply.record.client, `${subject.cluster} ${subject.name}`);
    }
    reply.headers({ 'cache-control': 'no-store', 'content-type': 'application/json' });
    const issued_at = issuedAt.toISOString();
    return Buffer.from(`${JSON.stringify({ token, access_token: token, expires_in, issued_at })}\n`);
  }

  app.register((scope, _options, registered) => {
    const parsing = { parseAs: 'string', bodyLimit: longestForm } as const;
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(form, parsing, async (_request: unknown, body: string | Buffer) =>
      String(body),
    );

    scope.get(tokenPath, async (request, reply) => {
      const query = new URLSearchParams(request.url.slice(tokenPath.length + 1));
      const authorization = authorizationOf(request.headers, request.raw.rawHeaders);
      return answer(request, reply, { authorization }, query.getAll('scope'));
    });

    scope.post(tokenPath, async (request, reply) => {
      const fields = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
      return answer(request, reply, passwordGrant(fields), fields.getAll('scope'));
    });
    registered();
  });
}

/** A wrong password gets the answer of a missing one: an error makes clients send a token. */
function refused(
  why: Unidentified['refused'],
  host: Host,
  { challenge, authority }: { readonly challenge: Challenger; readonly authority: string },
): RegistryError {
  const message = whatToDo(why, host);
  if (host.challenge === 'plain') return challenge(host, authority, { message });
  const headers = { 'www-authenticate': challengeText('Basic', { realm: host.name }) };
  return new RegistryError('UNAUTHORIZED', message, { headers });
}

/** Read by users, in their client. On a plain host a token is the password, which few know. */
function whatToDo(why: Unidentified['refused'], { challenge }: Host): string {
  if (challenge !== 'plain')
    return why === 'absent' ? refusals.absent.message : 'the user name or the password is wrong';
  return why === 'absent'
    ? 'a login is required: log in with a token of the cluster as the password'
    : 'the password is not a token of the cluster: get a new one and log in again';
}

/** A fault of ours where qci-appci could not sign a token either: its clients know these words. */
function notSigned(error: unknown, request: FastifyRequest, reply: FastifyReply): Buffer {
  const failure = failureOf(error);
  logFailure(request, failure, undefined);
  noteFailure(reply.record, failure);
  reply.code(500).type('text/plain; charset=utf-8');
  return Buffer.from('Internal Server Error\n');
}

/** OAuth 2 (RFC 6749 section 4.3). There are no refresh tokens, so no client can show one. */
function passwordGrant(fields: URLSearchParams): LoginForm | Unidentified {
  if (fields.get('grant_type') !== 'password') return { refused: 'malformed' };
  return { username: fields.get('username') ?? '', password: fields.get('password') ?? '' };
}

function locator(route: Router, host: Host): Locate {
  return (repository) => {
    try {
      const routed = route({ request: { kind: 'tags', repository, query: '' } }, host.upstream);
      return { upstream: routed.upstream, repository: routed.request.repository };
    } catch (error) {
      if (error instanceof RegistryError) return undefined;
      throw error;
    }
  };
}
