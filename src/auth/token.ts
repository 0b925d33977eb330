import { hash, randomUUID } from 'node:crypto';
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Subject } from './access.ts';
import type { Reread } from './reread.ts';
import type { Scopes } from './scope.ts';
import type { TokenKeys } from './token-keys.ts';

export interface TokensOptions {
  /** The keys of this moment; another value than before voids what was remembered. */
  readonly keys: Reread<TokenKeys>;
  /** The host the tokens are for: none of another host's is accepted. */
  readonly audience: string;
  /** How long a token works, in seconds. Default 21,600: 6 hours. */
  readonly validitySeconds?: number;
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** A token as its end-point hands it out. */
export interface IssuedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly issuedAt: Date;
}

/** What a token says, or why it says nothing; `foreign` are all that we did not sign for this host. */
export type TokenVerdict =
  | { readonly subject: Subject; readonly scopes: Scopes; readonly expiresAtMs: number }
  | { readonly refused: 'expired' | 'foreign' | 'malformed' };

/** Our own tokens (token protocol of the Docker registry, "JWT"): who the client is, and for what it asked. */
export interface Tokens {
  issue(subject: Subject, scopes: Scopes): Promise<IssuedToken>;
  /** At once for a token seen before. Throws `UNAVAILABLE` when the keys cannot be read. */
  verify(token: string): TokenVerdict | Promise<TokenVerdict>;
}

const issuer = 'quayside';
const algorithm = 'HS256';
const mostRemembered = 10_000;

/** Signs and verifies with HS256. Verified tokens are remembered by their hash until they expire. */
export function tokens({ keys, audience, validitySeconds = 21_600, now = Date.now }: TokensOptions): Tokens {
  const seen = new LRUCache<string, Exclude<TokenVerdict, { refused: unknown }>>({ max: mostRemembered });
  let seenUnder: TokenKeys | undefined;

  async function examine(token: string, id: string, current: TokenKeys): Promise<TokenVerdict> {
    const verdict = await examined(token, current, { audience, currentDate: new Date(now()) });
    if (!('refused' in verdict) && current === seenUnder) seen.set(id, verdict);
    return verdict;
  }

  function verifyUnder(token: string, current: TokenKeys): TokenVerdict | Promise<TokenVerdict> {
    if (current !== seenUnder) seen.clear();
    seenUnder = current;
    const id = hash('sha256', token, 'base64');
    const verdict = seen.get(id);
    if (verdict === undefined) return examine(token, id, current);
    return verdict.expiresAtMs > now() ? verdict : { refused: 'expired' };
  }

  return {
    async issue(subject, scopes) {
      const [{ kid, secret }] = await keys();
      const issuedAt = new Date(now());
      const token = await new SignJWT(claimsOf(subject, scopes))
        .setProtectedHeader({ alg: algorithm, typ: 'JWT', kid })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAt)
        .setExpirationTime(new Date(issuedAt.getTime() + validitySeconds * 1000))
        .setJti(randomUUID())
        .sign(secret);
      return { token, expiresInSeconds: validitySeconds, issuedAt };
    },
    verify(token) {
      const current = keys();
      return current instanceof Promise
        ? current.then((read) => verifyUnder(token, read))
        : verifyUnder(token, current);
    },
  };
}

interface Claims extends JWTPayload {
  readonly subject?: Subject;
  readonly access?: readonly {
    readonly type: string;
    readonly name: string;
    readonly actions: readonly string[];
  }[];
}

function claimsOf(subject: Subject, scopes: Scopes): Claims {
  const access = scopes.map((name) => ({ type: 'repository', name, actions: ['pull'] }));
  return { sub: subject.name, subject, access };
}

async function examined(
  token: string,
  keys: TokenKeys,
  options: { readonly audience: string; readonly currentDate: Date },
): Promise<TokenVerdict> {
  const chosen: JWTVerifyGetKey = ({ kid }) => {
    const key = keys.find((candidate) => candidate.kid === kid);
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key.secret;
  };
  try {
    const { payload } = await jwtVerify<Claims>(token, chosen, {
      ...options,
      issuer,
      algorithms: [algorithm],
    });
    const { subject, access = [], exp } = payload;
    if (subject === undefined || exp === undefined) return { refused: 'malformed' };
    return { subject, scopes: access.map(({ name }) => name), expiresAtMs: exp * 1000 };
  } catch (error) {
    return { refused: reasonOf(error) };
  }
}

function reasonOf(error: unknown): 'expired' | 'foreign' | 'malformed' {
  if (error instanceof errors.JWTExpired) return 'expired';
  return error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid ? 'malformed' : 'foreign';
}
