import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { DoubleState, RecordedRequest } from './registry-double.ts';
import type { TokenRules } from './registry-misbehaviours.ts';
import { answerJson, type Reply, refuse } from './registry-replies.ts';

/** True when the request may pass; otherwise it is answered 401 with a challenge. */
export function isAuthorised(reply: Reply): boolean {
  const { switches } = reply.state;
  const authorization = reply.request.headers.authorization ?? '';
  if (switches.challenges !== undefined) {
    const { lines, takes } = switches.challenges(reply.record);
    if (takes(authorization)) return true;
    challenge(reply, [...lines]);
    return false;
  }
  if (switches.requiresBasic !== undefined) {
    if (authorization === basic(switches.requiresBasic)) return true;
    challenge(reply, 'Basic realm="double"');
    return false;
  }
  const rules = switches.requiresToken;
  if (rules === undefined) return true;
  const scope = scopeOf(reply.record);
  const granted = reply.state.tokens.get(authorization.replace(/^Bearer /, ''));
  if (granted !== undefined && rules.isPrivate !== true && (scope === '' || granted.includes(scope)))
    return true;
  const realm = rules.realm ?? `${reply.state.url}/token`;
  const more = [
    ...(scope === '' ? [] : [`,scope="${scope}"`]),
    ...(granted !== undefined && rules.isPrivate === true ? [',error="insufficient_scope"'] : []),
  ];
  challenge(reply, `Bearer realm="${realm}",service="double"${more.join('')}`);
  return false;
}

/** The token endpoint: GET with Basic or without, POST with a password or a refresh token. */
export async function tokenAnswer(reply: Reply): Promise<void> {
  const rules = reply.state.switches.requiresToken ?? {};
  const form = new URLSearchParams(await text(reply.request));
  if (rules.status !== undefined) return refuse(reply, rules.status, 'UNKNOWN', 'as the switch says');
  const isPost = reply.record.method === 'POST';
  if (isPost && rules.lacksPost === true) return refuse(reply, 405, 'UNSUPPORTED', 'no POST here');
  if (!(isPost ? isGranted(form, rules) : isKnown(reply, rules))) {
    return refuse(reply, 401, 'UNAUTHORIZED', 'wrong user name or password');
  }
  const parameters = isPost ? form : new URLSearchParams(reply.record.query);
  const token = issued(reply, rules, parameters.getAll('scope').join(' '));
  answerJson(reply, 200, {
    [rules.isOauth === true ? 'access_token' : 'token']: token,
    ...(rules.expiresIn === undefined ? {} : { expires_in: rules.expiresIn }),
  });
}

function issued({ state }: Reply, rules: TokenRules, scope: string): string {
  const serial = `token-${randomUUID()}`;
  const claims = { jti: serial, exp: Math.floor(Date.now() / 1000) + (rules.jwtSeconds ?? 0) };
  const encoded = Buffer.from(JSON.stringify(claims)).toString('base64url');
  const token = rules.jwtSeconds === undefined ? serial : `eyJhbGciOiJub25lIn0.${encoded}.c2ln`;
  if (isRefusedAnyway(state)) return token;
  state.tokens.set(token, scope);
  return token;
}

function isRefusedAnyway({ switches }: DoubleState): boolean {
  const { refusesNewTokens = 0 } = switches;
  if (refusesNewTokens > 0) switches.refusesNewTokens = refusesNewTokens - 1;
  return refusesNewTokens > 0;
}

function isKnown(reply: Reply, rules: TokenRules): boolean {
  if (rules.user === undefined) return true;
  const pair = { user: rules.user, password: rules.password ?? '' };
  return reply.request.headers.authorization === basic(pair);
}

function isGranted(form: URLSearchParams, rules: TokenRules): boolean {
  if (form.get('grant_type') === 'refresh_token') return form.get('refresh_token') === rules.identityToken;
  return form.get('username') === rules.user && form.get('password') === rules.password;
}

/**
 * True when the request's token opens that repository for reading; without tokens everything is
 * open.
 */
export function isGrantedPull({ request, state }: Reply, repository: string): boolean {
  if (state.switches.requiresToken === undefined) return true;
  const granted = state.tokens.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  return granted?.includes(`repository:${repository}:pull`) === true;
}

function scopeOf({ method, path }: RecordedRequest): string {
  const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
  const isRead = method === 'GET' || method === 'HEAD';
  return name === undefined ? '' : `repository:${name}:${isRead ? 'pull' : 'pull,push'}`;
}

function challenge(reply: Reply, value: string | string[]): void {
  reply.response.setHeader('www-authenticate', value);
  refuse(reply, 401, 'UNAUTHORIZED', 'authentication required');
}

function basic({ user, password }: { readonly user: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
