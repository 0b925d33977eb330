import { type Challenge, parseChallenges } from '../oci/challenge.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Credentials } from './credentials.ts';
import {
  type Answer,
  type Ask,
  discard,
  headerLines,
  isReplayable,
  type PushRight,
  type Send,
} from './exchange.ts';
import { parseTarget, type TargetRules } from './redirect.ts';
import { basicOf, type Tokens } from './tokens.ts';

export interface LoginOptions extends TargetRules {
  readonly send: Send;
  readonly tokens: Tokens;
  readonly credentials: Credentials;
  /** Hosts that may be token realms; every public one without. */
  readonly realmHosts?: readonly string[];
}

interface Authorization {
  readonly value: string;
  /** Got just now, so that a refusal of it is final. */
  readonly isNew: boolean;
}

/**
 * Requests to the registry with our login, as its last challenge asked for it. A 401 is answered once: with a login when
 * there was none, with a new token when the old one may have ended. A second 401 is the answer; so is one to a new token,
 * which is how registries say that a repository is private or does not exist. A stream is sent once: its 401 is the answer, and
 * the next request gets a new token.
 */
export function loggedIn(options: LoginOptions): Send {
  let challenge: Challenge | undefined;
  return async (ask) => {
    const first = challenge && (await authorizationFor(challenge, ask, options));
    const answer = await options.send(authorised(ask, first));
    if (answer.status !== 401) return answer;
    discard(answer);
    const asked = challengeOf(answer, options);
    if (asked === undefined || (first?.isNew === true && asked.scheme === challenge?.scheme)) return answer;
    if (first !== undefined) options.tokens.forget(first.value.replace(/^Bearer /, ''));
    challenge = asked;
    if (!isReplayable(ask)) return answer;
    const second = await authorizationFor(asked, ask, options);
    if (second === undefined || second.value === first?.value) return answer;
    return options.send(authorised(ask, second));
  };
}

/** The first challenge that we can meet. */
function challengeOf(answer: Answer, { upstream }: LoginOptions): Challenge | undefined {
  const lines = headerLines(answer, 'www-authenticate');
  return parseChallenges(lines).find(({ scheme, parameters: { realm = '' } }) => {
    return scheme === 'basic' || (scheme === 'bearer' && URL.canParse(realm, upstream));
  });
}

async function authorizationFor(
  { scheme, parameters }: Challenge,
  { url, push, signal }: Ask,
  options: LoginOptions,
): Promise<Authorization | undefined> {
  const { realm: realmText = '', service, scope: askedScope } = parameters;
  const repository = push?.repository ?? repositoryOf(url);
  const credential = await options.credentials(repository ?? '');
  if (scheme === 'basic') return credential && { value: basicOf(credential), isNew: true };
  const realm = realmOf(realmText, options);
  const scope = scopeFor(askedScope, repository, push);
  const question = { realm, service, scope, credential };
  const { value, isNew } = await options.tokens.get(question, signal);
  return { value: `Bearer ${value}`, isNew };
}

/** The scope of this repository in the manner of the challenge: some registries have one scope for everything. */
export function scopeFor(
  asked: string | undefined,
  repository: string | undefined,
  push?: PushRight,
): string | undefined {
  if (repository === undefined || (asked !== undefined && !asked.startsWith('repository:'))) return asked;
  const own = `repository:${repository}:${push === undefined ? 'pull' : 'pull,push'}`;
  const from = push?.from;
  return from === undefined || from === repository ? own : `${own} repository:${from}:pull`;
}

function realmOf(text: string, { upstream, allowPrivateAddresses, realmHosts }: LoginOptions): URL {
  const isListed = URL.canParse(text) && realmHosts?.includes(new URL(text).host) === true;
  const rules = { upstream, allowPrivateAddresses: allowPrivateAddresses || isListed };
  const realm = parseTarget(text, upstream, rules);
  if (isListed || realm.origin === upstream.origin || realmHosts === undefined) return realm;
  throw new RegistryError(
    'UPSTREAM_INVALID',
    'the upstream sends us to a token server that is not on the list',
  );
}

function repositoryOf({ pathname }: URL): string | undefined {
  return /\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\/[^/]+$/.exec(pathname)?.[1];
}

function authorised(ask: Ask, authorization: Authorization | undefined): Ask {
  if (authorization === undefined) return ask;
  return { ...ask, headers: { ...ask.headers, authorization: authorization.value } };
}
