import { isObject, parseJson, textOf } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';

/** A bearer token and how long it may be used. */
export interface Token {
  readonly value: string;
  /** From here on a new one is requested; before its expiry, milliseconds since the epoch. */
  readonly staleAt: number;
}

/** What the token protocol says where a server does not, seconds. */
const defaultLifeSeconds = 60;
/** Used up to this fraction of its life, or to this long before its end, whichever is later. */
const usedFraction = 0.8;
const longestMarginMs = 60_000;

/**
 * Reads a token server's answer. The lifetime is `expires_in`, from `issued_at` if that is in the
 * past (a server may return one token twice); else the token's own `exp` (as of quay); else 60 s.
 * Throws `UPSTREAM_INVALID`.
 */
export function parseTokenAnswer(bytes: Uint8Array, now: number): Token {
  const body = parseObject(bytes);
  const value = textOf(body['token']) ?? textOf(body['access_token']);
  if (value === undefined || !/^[\x21-\x7e]+$/.test(value)) {
    throw new RegistryError('UPSTREAM_INVALID', 'the token server answers without a token');
  }
  const lifeMs = Math.max(0, lifeOf(body, value, now));
  return { value, staleAt: now + Math.max(lifeMs * usedFraction, lifeMs - longestMarginMs) };
}

function lifeOf(body: Record<string, unknown>, value: string, now: number): number {
  const seconds = body['expires_in'];
  if (typeof seconds === 'number' && Number.isFinite(seconds)) {
    const ageMs = now - Date.parse(textOf(body['issued_at']) ?? '');
    return seconds * 1000 - (ageMs > 0 && ageMs < seconds * 1000 ? ageMs : 0);
  }
  const expiresAt = expiryOf(value);
  return expiresAt === undefined ? defaultLifeSeconds * 1000 : expiresAt - now;
}

/** The `exp` of a JSON Web Token, unverified: it only says how long the token is useful. */
function expiryOf(token: string): number | undefined {
  const claims = token.split('.')[1];
  if (claims === undefined) return undefined;
  try {
    const seconds = parseObject(Buffer.from(claims, 'base64url'))['exp'];
    return typeof seconds === 'number' ? seconds * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** No cause: what JSON.parse throws quotes the text, which may hold a token. */
function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value = parseJson(bytes);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new RegistryError('UPSTREAM_INVALID', 'the token server answers with something that is not JSON');
}
