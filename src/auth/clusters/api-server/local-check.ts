import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Subject } from '../../access.ts';
import { createAnswerCache } from '../answer-cache.ts';
import type { ClusterEvents, RememberedCluster } from '../cluster.ts';
import { claimsOf } from '../cluster-token.ts';
import { createKeyedHash } from '../keyed-hash.ts';
import { claimedSubject } from './service-account.ts';

export interface LocalCheckOptions {
  /**
   * `prefilter`: rejects forged and expired tokens locally; the cluster reviews the others.
   * `local`: accepts valid tokens for `localMs` after the first use, and then reviews them.
   */
  readonly check: 'prefilter' | 'local';
  /** Whose tokens are checked; all others are left to the cluster. */
  readonly issuer: string;
  /** Audiences, one of which the token must have. Default: local checks require the issuer. */
  readonly audiences?: readonly string[];
  /** In milliseconds. Default 60,000. */
  readonly localMs?: number;
  /** The cluster's keys, as JSON (RFC 7517). */
  readonly keySet: () => Promise<string>;
  /** Told when the keys cannot be had, and the cluster is asked about each token for a while. */
  readonly events?: Pick<Partial<ClusterEvents>, 'keysFailed'>;
  /** Tokens that were found good and are kept. Default 50,000. */
  readonly maxEntries?: number;
  /** The clock, in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** A token by its signature and claims alone. */
type CheckedToken = 'bad' | 'unsure' | Good;

interface Good {
  /** Absent where it takes the cluster to say who it is. */
  readonly subject?: Subject;
  /** By the steady clock. */
  readonly seenAtMs: number;
  readonly issuedAtMs: number;
}

/** Kubernetes signs with key pairs only; a shared secret or none is a forgery. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const clockTolerance = 10;
/** An unknown key reloads the key set at most this often: forged tokens cost a request a second. */
const cooldownDuration = 1000;
const keySetTrouble = new Set(['ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID', 'ERR_JWKS_TIMEOUT']);
/** For so long the key set is left alone when it could not be had. */
const restMs = 30_000;

/**
 * Checks service account tokens by their signature before the cluster does. A signature does not
 * reveal that the account, or the bound pod, is gone. Without the keys nothing is checked locally.
 * A token issued before the last `forget` is always reviewed.
 */
export function locallyChecked(cluster: RememberedCluster, options: LocalCheckOptions): RememberedCluster {
  const { check, issuer, localMs = 60_000, maxEntries = 50_000, now = Date.now } = options;
  // The wall clock may be set back.
  const steady = options.now ?? (() => performance.now());
  const examined = examination(cluster.name, options, { now, steady });
  const hashOf = createKeyedHash();
  const found = createAnswerCache<CheckedToken>({
    isYes: (checked) => typeof checked === 'object',
    yesMs: Number.POSITIVE_INFINITY,
    noMs: 0,
    maxEntries,
    now,
  });
  let forgottenAtMs = Number.NEGATIVE_INFINITY;

  function judged(checked: CheckedToken, token: string, address?: string) {
    if (checked === 'bad') return undefined;
    return isAcceptable(checked) ? checked.subject : cluster.review(token, address);
  }

  function isAcceptable(checked: CheckedToken): checked is Required<Good> {
    if (check !== 'local' || typeof checked === 'string' || checked.subject === undefined) return false;
    return steady() - checked.seenAtMs < localMs && checked.issuedAtMs > forgottenAtMs;
  }

  return {
    ...cluster,
    review(token, address) {
      const claims = claimsOf(token);
      if (claims?.issuer !== issuer) return cluster.review(token, address);
      const key = hashOf(token);
      const held = found.find(key);
      if (held !== undefined) return judged(held.value, token, address);
      return found
        .ask(key, () => examined(token), claims.expiresAtMs)
        .then((checked) => judged(checked, token, address));
    },
    forget() {
      forgottenAtMs = now();
      cluster.forget();
    },
  };
}

/** Checks one token; never rejects. */
function examination(
  cluster: string,
  { issuer, audiences, keySet, events }: LocalCheckOptions,
  { now, steady }: { readonly now: () => number; readonly steady: () => number },
): (token: string) => Promise<CheckedToken> {
  let restUntilMs = Number.NEGATIVE_INFINITY;
  const keys = createRemoteJWKSet(new URL('https://cluster.invalid/openid/v1/jwks'), {
    cooldownDuration,
    [customFetch]: async () => new Response(await keySet()),
  });
  const audience = audiences === undefined ? {} : { audience: [...audiences] };
  return async (token) => {
    if (steady() < restUntilMs) return 'unsure';
    try {
      const currentDate = new Date(now());
      const checks = { ...audience, issuer, algorithms, clockTolerance, currentDate };
      const { payload } = await jwtVerify(token, keys, checks);
      const subject = subjectOf(payload, cluster, audiences ?? [issuer], now());
      const times = { seenAtMs: steady(), issuedAtMs: (payload.iat ?? 0) * 1000 };
      return { ...(subject === undefined ? {} : { subject }), ...times };
    } catch (error) {
      if (isOfToken(error)) return 'bad';
      restUntilMs = steady() + restMs;
      events?.keysFailed?.({ cluster, error });
      return 'unsure';
    }
  };
}

/** Undefined for a token that is for others, or has expired. */
function subjectOf(claims: JWTPayload, cluster: string, audiences: readonly string[], now: number) {
  const isForUs = [claims.aud ?? []].flat().some((audience) => audiences.includes(audience));
  return isForUs && (claims.exp ?? 0) * 1000 > now ? claimedSubject(claims, cluster) : undefined;
}

/** Whether it is the token that is wrong, and not the keys that cannot be had. */
function isOfToken(error: unknown): boolean {
  return error instanceof errors.JOSEError && !keySetTrouble.has(error.code);
}
