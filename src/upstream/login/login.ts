// Room `upstream/login`: logs in at a registry, by token or password. In: a request without a
// login. Out: the same with one; credentials that are followed. Imports: base, oci, upstream,
// upstream/helpers, upstream/http, upstream/resilience.

import { isDeepStrictEqual } from 'node:util';
import { createLru } from '../../base/state/lru.ts';
import { unlessAborted } from '../../base/time/wait.ts';
import { type Challenge, parseChallenges } from '../../oci/challenge.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Credentials, UpstreamCredential } from '../credential.ts';
import {
  type Dispatch,
  discard,
  headerLines,
  isReplayable,
  type PushRight,
  repositoryOf,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../exchange.ts';
import { parseTarget, type TargetRules } from '../http/redirect.ts';
import { basicOf, type UpstreamTokens } from './tokens.ts';

interface LoginOptions extends TargetRules {
  readonly send: Dispatch;
  readonly tokens: UpstreamTokens;
  readonly credentials: Credentials;
  /** Hosts that may be token realms; every public one without. */
  readonly realmHosts?: readonly string[];
}

interface Authorization {
  readonly value: string;
  /** A token that was got just now, so that its refusal says more than that it has ended. */
  readonly isNew: boolean;
  readonly challenge: Challenge;
  /** What it shows: a password; undefined for a token. */
  readonly shows?: UpstreamCredential;
  /** Equal for answers that come to the same. */
  readonly key: string;
}

/** Answers that one request may try: an old token, two new ones, a password. */
const mostTries = 4;
/** Of one answer; registries have two, and each may be a question to another token server. */
const mostChallenges = 4;

/**
 * Requests with our login, as the last challenge for the same repository asked for it, or, of a
 * repository that is new, the last one of its host. A 401 is answered with what its challenges ask
 * for, Bearer before Basic: another token when the old one may have ended, once more when a new one
 * is refused, which a server with a late clock does. Then the 401 is the answer, which is how
 * registries say that a repository is private or does not exist. A stream is sent once: its 401 is
 * the answer, and the next request gets a new token.
 */
export function authenticated(options: LoginOptions): Dispatch {
  const known = knownChallenges();

  /** What was asked for before; nothing where that stopped working or differs on the host. */
  async function guessed(ask: UpstreamRequest): Promise<Authorization | undefined> {
    const { challenge, isOwn } = known.of(ask);
    if (challenge === undefined) return undefined;
    try {
      return await authorizationFor(challenge, ask, options);
    } catch (error) {
      const isMeant = isOwn && !isRefusal(error);
      if (!isMeant) known.forget(ask);
      ask.signal?.throwIfAborted();
      if (isMeant) throw error;
      return undefined;
    }
  }

  return async (ask) => {
    const refused: Authorization[] = [];
    let used = await guessed(ask);
    for (;;) {
      const answer = await options.send(authorised(ask, used));
      const renewed = answer.status === 403 ? await renewedOf(used, ask, options) : undefined;
      if (renewed !== undefined) {
        discard(answer);
        used = renewed;
        continue;
      }
      if (answer.status !== 401) return answer;
      discard(answer);
      if (used !== undefined) {
        refused.push(used);
        if (used.shows !== undefined) options.credentials.refused(used.shows);
        options.tokens.forget(used.value.replace(/^Bearer /, ''));
      }
      const challenges = challengesOf(answer);
      if (!isReplayable(ask)) {
        const [first] = challenges;
        if (first !== undefined) known.set(ask, first);
        return answer;
      }
      used = refused.length < mostTries ? await nextOf(challenges, refused, ask, options) : undefined;
      if (used === undefined) return answer;
      known.set(ask, used.challenge);
    }
  };
}

interface KnownChallenges {
  /** The last one for the repository, and that right to it, else the last one of the host. */
  of(ask: UpstreamRequest): { readonly challenge: Challenge | undefined; readonly isOwn: boolean };
  set(ask: UpstreamRequest, challenge: Challenge): void;
  forget(ask: UpstreamRequest): void;
}

const mostPlaces = 1_000;

function knownChallenges(): KnownChallenges {
  const byPlace = createLru<string, Challenge>(mostPlaces);
  const placeOf = ({ url, push }: UpstreamRequest): string =>
    `${url.origin} ${push === undefined ? 'pull' : 'push'} ${push?.repository ?? repositoryOf(url) ?? ''}`;
  return {
    of(ask) {
      const own = byPlace.peek(placeOf(ask));
      return { challenge: own ?? byPlace.peek(ask.url.origin), isOwn: own !== undefined };
    },
    set(ask, challenge) {
      byPlace.set(placeOf(ask), challenge);
      byPlace.set(ask.url.origin, challenge);
    },
    forget(ask) {
      byPlace.delete(placeOf(ask));
      byPlace.delete(ask.url.origin);
    },
  };
}

/** Those that we know how to meet, Bearer first: where both work, a password is shown to fewer. */
function challengesOf(answer: UpstreamResponse): readonly Challenge[] {
  const challenges = parseChallenges(headerLines(answer, 'www-authenticate'));
  const bearer = challenges.filter(({ scheme, parameters: { realm = '' } }) => {
    return scheme === 'bearer' && URL.canParse(realm, answer.url);
  });
  const basic = challenges.filter(({ scheme }) => scheme === 'basic');
  return [...bearer.slice(0, mostChallenges), ...basic.slice(0, 1)];
}

/** The first answer not refused yet. Throws the token server's refusal without one. */
async function nextOf(
  challenges: readonly Challenge[],
  refused: readonly Authorization[],
  ask: UpstreamRequest,
  options: LoginOptions,
): Promise<Authorization | undefined> {
  let failure: unknown;
  for (const challenge of challenges) {
    if (isSpent(challenge, refused, ask)) continue;
    try {
      const next = await authorizationFor(challenge, ask, options);
      if (next !== undefined && !wasRefused(next, refused)) return next;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** A password is tried again only where it is another one. */
function wasRefused({ challenge, value }: Authorization, refused: readonly Authorization[]): boolean {
  return challenge.scheme === 'basic' && refused.some((each) => each.value === value);
}

/** Amazon's registry answers an ended password with 403: the one of a helper is asked for again. */
async function renewedOf(
  used: Authorization | undefined,
  ask: UpstreamRequest,
  options: LoginOptions,
): Promise<Authorization | undefined> {
  if (used?.shows === undefined || !isReplayable(ask)) return undefined;
  if (!options.credentials.refused(used.shows)) return undefined;
  const next = await authorizationFor(used.challenge, ask, options).catch(() => undefined);
  return next?.value === used.value ? undefined : next;
}

/** A new token that lacks a right will lack it again, so it is not asked for twice. */
function isSpent(challenge: Challenge, refused: readonly Authorization[], ask: UpstreamRequest): boolean {
  const key = keyOf(challenge, ask);
  const same = refused.filter((each) => each.key === key);
  if (challenge.scheme === 'basic') return false;
  const news = same.filter(({ isNew }) => isNew).length;
  return news > 1 || (news === 1 && challenge.parameters['error'] === 'insufficient_scope');
}

function isRefusal(error: unknown): boolean {
  return error instanceof RegistryError && (error.code === 'DENIED' || error.code === 'UPSTREAM_INVALID');
}

async function authorizationFor(
  challenge: Challenge,
  ask: UpstreamRequest,
  options: LoginOptions,
): Promise<Authorization | undefined> {
  const { scheme, parameters } = challenge;
  const key = keyOf(challenge, ask);
  const find = (): Promise<UpstreamCredential | undefined> =>
    unlessAborted(options.credentials.find(ask.push?.repository ?? repositoryOf(ask.url) ?? ''), ask.signal);
  const credential = await find();
  if (scheme === 'basic')
    return credential && { value: basicOf(credential), isNew: true, challenge, shows: credential, key };
  const realm = realmOf(parameters['realm'] ?? '', ask.url, options);
  const question = { realm, service: parameters['service'], scope: scopeOf(challenge, ask), credential };
  const get = (credential: UpstreamCredential | undefined) =>
    options.tokens.get({ ...question, credential }, ask.signal);
  const { value, isNew } = await get(credential).catch(async (error: unknown) => {
    const isOurs = credential !== undefined && isLoginRefusal(error);
    if (!isOurs || !options.credentials.refused(credential)) throw error;
    const other = await find();
    if (isDeepStrictEqual(other, credential)) throw error;
    return get(other);
  });
  return { value: `Bearer ${value}`, isNew, challenge, key };
}

/** Whether a token server does not take our credentials. */
function isLoginRefusal(error: unknown): boolean {
  if (!(error instanceof RegistryError) || error.code !== 'DENIED') return false;
  const status = error.detail?.['upstreamStatus'];
  return status === 400 || status === 401 || status === 403;
}

function keyOf(challenge: Challenge, ask: UpstreamRequest): string {
  const { scheme, parameters } = challenge;
  if (scheme === 'basic') return scheme;
  return JSON.stringify([parameters['realm'], parameters['service'], scopeOf(challenge, ask)]);
}

function scopeOf({ parameters }: Challenge, { url, push }: UpstreamRequest): string | undefined {
  return scopeFor(parameters['scope'], push?.repository ?? repositoryOf(url), push);
}

/** The repository's scope in the form of the challenge: some registries have one for everything. */
export function scopeFor(
  asked: string | undefined,
  repository: string | undefined,
  push?: PushRight,
): string | undefined {
  if (repository === undefined || (asked !== undefined && !asked.startsWith('repository:'))) return asked;
  const own = `repository:${repository}:${push === undefined ? 'pull' : pushActions(asked, push)}`;
  const from = push?.from;
  return from === undefined || from === repository ? own : `${own} repository:${from}:pull`;
}

/** Docker's registry wants `delete` for a DELETE; quay refuses a scope with it, and wants none. */
function pushActions(asked: string | undefined, { deletes }: PushRight): string {
  const isAsked = asked?.split(':').at(-1)?.split(',').includes('delete') === true;
  return deletes === true && isAsked ? 'pull,push,delete' : 'pull,push';
}

function realmOf(
  text: string,
  from: URL,
  { upstream, allowPrivateAddresses, realmHosts }: LoginOptions,
): URL {
  const isListed = URL.canParse(text) && realmHosts?.includes(new URL(text).host) === true;
  const rules = { upstream, allowPrivateAddresses: allowPrivateAddresses || isListed };
  const realm = parseTarget(text, from, rules);
  if (isListed || realm.origin === from.origin || realmHosts === undefined) return realm;
  const message = 'the upstream names a token server that is not among its realmHosts';
  throw new RegistryError('UPSTREAM_INVALID', message);
}

function authorised(ask: UpstreamRequest, authorization: Authorization | undefined): UpstreamRequest {
  if (authorization === undefined) return ask;
  return { ...ask, headers: { ...ask.headers, authorization: authorization.value } };
}
