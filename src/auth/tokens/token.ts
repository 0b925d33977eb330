// Room `auth/tokens`: tokens that this service signs, and their keys. In: a subject and its scopes.
// Out: a token; of a token its subject. Imports: auth, base, oci.

import { hash, randomUUID } from 'node:crypto';
import { decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Current } from '../../base/state/watched-file.ts';
import type { Subject } from '../access.ts';
import type { Scope } from '../scope.ts';
import { parseSubject, subjectText } from '../subject.ts';
import type { KeptSubjects } from './kept-subjects.ts';
import type { TokenKeys } from './token-keys.ts';

interface TokensOptions {
  /** The keys of this moment; another value than before voids what was remembered. */
  readonly keys: Current<TokenKeys>;
  /** The host the tokens are for: none of another host's is accepted. */
  readonly audience: string;
  /** The store of subjects above 3 KB. Default: in the token, however large that makes it. */
  readonly subjects?: Pick<KeptSubjects, 'keep' | 'read'>;
  /** How long a token works, in seconds. Default 21,600: 6 hours. */
  readonly validitySeconds?: number | undefined;
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** A token as its end-point hands it out. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly issuedAt: Date;
}

interface TokenFacts {
  /** The same object for equal subjects, so that callers may remember by identity. */
  readonly subject: Subject;
  /** The repositories that the token was asked for, as the client names them, granted or not. */
  readonly scopes: readonly string[];
  /** No scope was named when it was asked for, not even one that we do not know. */
  readonly isUnscoped: boolean;
  readonly expiresAtMs: number;
}

/** What a token says, or why it says nothing. */
type TokenVerdict =
  | TokenFacts
  | {
      /**
       * `unknown-key` claims our issuer and a key that is not configured, such as one of an earlier
       * process; `foreign` claims our issuer, but is for another host, or was changed; `strange`
       * has another issuer.
       */
      readonly refused: RefusedToken;
    };

type RefusedToken = 'expired' | 'unknown-key' | 'foreign' | 'strange';

/** Our own tokens (token protocol of the Docker registry, "JWT"): subject and scopes. */
export interface Tokens {
  /** A token below 6 KB; no scopes if none were requested. May throw `UNAVAILABLE`. */
  issue(subject: Subject, scopes: readonly Scope[] | undefined): Promise<IssuedToken>;
  /** At once for a token seen before. Throws `UNAVAILABLE` when keys or subject cannot be read. */
  verify(token: string): MaybePromise<TokenVerdict>;
}

const issuer = 'quayside';
const mostRemembered = 10_000;
/** Texts of remembered subjects, in characters: few have groups by the thousand. */
const mostRememberedText = 64 * 1024 * 1024;
/** A larger subject is kept elsewhere, in bytes. */
const largestSubject = 3_072;
/** Limit of subject and scopes in bytes: below 6 KB with base64, head, dates and signature. */
const largestClaims = 3_800;
/** The name is also in the subject; `sub` is for people who look into a token. */
const longestSub = 100;
/** Clocks of replicas differ; a new token must not be from the future elsewhere, in seconds. */
const clockSkewSeconds = 60;

/** Signs with the first key and verifies with all. Remembers verified tokens until they expire. */
export function createTokens(options: TokensOptions): Tokens {
  const { keys, audience, subjects, validitySeconds = 21_600, now = Date.now } = options;
  const sizes = { maxSize: mostRememberedText };
  const seen = new LRUCache<string, TokenFacts>(sizes);
  const people = new LRUCache<string, Subject>(sizes);
  let seenUnder: TokenKeys | undefined;

  async function examine(token: string, id: string, current: TokenKeys): Promise<TokenVerdict> {
    const verified = await verifiedClaims(token, current, { audience, currentDate: new Date(now()) });
    if ('refused' in verified) return verified;
    const { claims } = verified;
    const subject = await subjectIn(claims);
    if (subject === undefined) return { refused: 'expired' };
    const { access, exp = 0 } = claims;
    const scopes = access?.map(({ name }) => name) ?? [];
    const facts = { subject, scopes, isUnscoped: access === undefined, expiresAtMs: exp * 1000 };
    if (current === seenUnder) seen.set(id, facts, { size: sizeOf(subjectText(subject)) });
    return facts;
  }

  /** Undefined for one that was swept: its client has to log in again. */
  async function subjectIn({ subject, subjectId }: Claims): Promise<Subject | undefined> {
    const found =
      subjectId === undefined ? parseSubject(JSON.stringify(subject)) : await subjects?.read(subjectId);
    if (found === undefined) return undefined;
    const text = subjectText(found);
    const known = people.get(text) ?? found;
    people.set(text, known, { size: sizeOf(text) });
    return known;
  }

  function verifyUnder(token: string, current: TokenKeys): MaybePromise<TokenVerdict> {
    if (current !== seenUnder) seen.clear();
    seenUnder = current;
    const id = hash('sha256', token, 'base64');
    const facts = seen.get(id);
    if (facts === undefined) return examine(token, id, current);
    return facts.expiresAtMs > now() ? facts : { refused: 'expired' };
  }

  async function claimsOf(subject: Subject, scopes: readonly Scope[] | undefined): Promise<Claims> {
    const access = scopes?.map(({ name, isGranted }) => ({
      type: 'repository',
      name,
      actions: isGranted ? ['pull'] : [],
    }));
    const bytes = Buffer.byteLength(subjectText(subject));
    const room = largestClaims - Buffer.byteLength(JSON.stringify(access ?? []));
    const isKept = subjects !== undefined && bytes > Math.min(largestSubject, room);
    const named = access === undefined ? {} : { access };
    return { ...named, ...(isKept ? { subjectId: await subjects.keep(subject) } : { subject }) };
  }

  return {
    async issue(subject, scopes) {
      const { signing: key } = await keys();
      const issuedAt = new Date(now());
      const second = Math.floor(issuedAt.getTime() / 1000);
      const token = await new SignJWT(await claimsOf(subject, scopes))
        .setProtectedHeader({ alg: key.algorithm, typ: 'JWT', kid: key.kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(subject.name.slice(0, longestSub))
        .setIssuedAt(second)
        .setNotBefore(second - clockSkewSeconds)
        .setExpirationTime(second + validitySeconds)
        .setJti(randomUUID())
        .sign(key.signing);
      return { token, expiresInSeconds: validitySeconds, issuedAt };
    },
    verify: (token) => andThen(keys(), (current) => verifyUnder(token, current)),
  };
}

interface Claims extends JWTPayload {
  readonly subject?: Subject;
  /** Of a subject that is kept elsewhere. */
  readonly subjectId?: string;
  readonly access?: readonly {
    readonly type: string;
    readonly name: string;
    readonly actions: readonly string[];
  }[];
}

async function verifiedClaims(
  token: string,
  { byKid }: TokenKeys,
  options: { readonly audience: string; readonly currentDate: Date },
): Promise<{ readonly claims: Claims } | { readonly refused: RefusedToken }> {
  const chosen: JWTVerifyGetKey = ({ kid, alg }) => {
    const key = byKid.get(kid ?? '');
    if (key === undefined && kid !== undefined) throw new errors.JWKSNoMatchingKey();
    if (key === undefined || key.algorithm !== alg) throw new errors.JOSEAlgNotAllowed();
    return key.verifying;
  };
  const algorithms = [...new Set([...byKid.values()].map(({ algorithm }) => algorithm))];
  const requiredClaims = ['exp', 'iat', 'jti'];
  try {
    const checks = { ...options, issuer, algorithms, requiredClaims };
    return { claims: (await jwtVerify<Claims>(token, chosen, checks)).payload };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { refused: 'expired' };
    if (!claimsToBeOurs(token)) return { refused: 'strange' };
    return { refused: error instanceof errors.JWKSNoMatchingKey ? 'unknown-key' : 'foreign' };
  }
}

/** A token that only claims to be ours is not sent to a cluster: another host may accept it. */
function claimsToBeOurs(token: string): boolean {
  try {
    return decodeJwt(token).iss === issuer;
  } catch {
    return false;
  }
}

/** A short text counts for its share: with `max`, lru-cache takes memory for all at the start. */
function sizeOf(text: string): number {
  return Math.max(text.length + 256, Math.ceil(mostRememberedText / mostRemembered));
}
