import { field, jsonOrNone } from '../../base/text/json.ts';

/** The claims of a cluster's token, not yet verified. */
interface TokenClaims {
  readonly issuer?: string;
  readonly subject?: string;
  readonly expiresAtMs?: number;
}

const shortest = 8;
const longest = 8 * 1024;
/** The characters of a bearer token (RFC 6750 section 2.1, b64token). */
const bearer = /^[A-Za-z0-9\-._~+/]+=*$/;
const jwt = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

/** Whether some cluster could have made it: what could not be one is worth no question. */
export function mayBeToken(text: string): boolean {
  return text.length >= shortest && text.length <= longest && bearer.test(text);
}

/**
 * Whether it has the form of what a cluster signs or draws at random, of 256 bits: no password that
 * could be guessed.
 */
export function isClusterToken(text: string): boolean {
  return /^sha256~[\w-]{43}$/.test(text) || (mayBeToken(text) && claimsOf(text)?.issuer !== undefined);
}

/**
 * The claims of a JWT (RFC 7519), unverified; undefined for other tokens. They choose the cluster
 * to ask, limit how long a token is remembered, and name who takes a turn.
 */
export function claimsOf(token: string): TokenClaims | undefined {
  const payload = jwt.exec(token)?.[1];
  if (payload === undefined) return undefined;
  const claims = jsonOrNone(Buffer.from(payload, 'base64url'));
  if (typeof claims !== 'object' || claims === null) return undefined;
  const issuer = field(claims, 'iss');
  const subject = field(claims, 'sub');
  const expiry = field(claims, 'exp');
  return {
    ...(typeof issuer === 'string' ? { issuer } : {}),
    ...(typeof subject === 'string' ? { subject } : {}),
    ...(typeof expiry === 'number' ? { expiresAtMs: expiry * 1000 } : {}),
  };
}
