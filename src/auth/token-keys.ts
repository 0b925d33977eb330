import { createHmac, randomBytes } from 'node:crypto';

/** A secret that signs tokens, and the name by which a token says which one signed it. */
export interface TokenKey {
  readonly kid: string;
  readonly secret: Uint8Array;
}

/** The first signs; all verify, so that a key can be rotated while tokens of the one before are in use. */
export type TokenKeys = readonly [TokenKey, ...TokenKey[]];

/** HS256 asks for a key no shorter than its hash (RFC 7518 section 3.2), in bytes. */
const shortestSecret = 32;

/**
 * The keys in a secret file: one a line, the signing one first, each at least 32 bytes. Throws an Error that names the
 * line of one that is shorter, and never the secret.
 */
export function parseTokenKeys(text: string): TokenKeys {
  const lines = text.split('\n').map((line) => line.trim());
  const [first, ...others] = lines.flatMap((line, index) => (line === '' ? [] : [tokenKey(line, index + 1)]));
  if (first === undefined) throw new Error('the token secret file is empty');
  return [first, ...others];
}

/** A key that only this process has: its tokens end with it, and no replica accepts them. */
export function randomTokenKeys(): TokenKeys {
  return [named(randomBytes(shortestSecret))];
}

function tokenKey(line: string, number: number): TokenKey {
  const secret = Buffer.from(line);
  if (secret.byteLength >= shortestSecret) return named(secret);
  throw new Error(`line ${number} of the token secret file is shorter than ${shortestSecret} bytes`);
}

function named(secret: Uint8Array): TokenKey {
  return { secret, kid: createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 12) };
}
