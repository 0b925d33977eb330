import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { TokenKey } from './token-keys.ts';

const cipher = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Bytes of the signing key for one purpose alone: what seals cursors signs nothing, and opens
 * nothing else (RFC 5869). By default as many as `sealed` takes.
 */
export function derivedKey(
  secret: NonNullable<TokenKey['signing']>,
  purpose: string,
  length = keyBytes,
): Uint8Array {
  const bytes = secret instanceof Uint8Array ? secret : secret.export({ type: 'pkcs8', format: 'der' });
  return new Uint8Array(hkdfSync('sha256', bytes, '', purpose, length));
}

/** The text, encrypted and authenticated (AES-256-GCM); only `bound` and the key open it again. */
export function sealed(text: string, key: Uint8Array, bound: Uint8Array): Buffer {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, key, nonce).setAAD(bound);
  const hidden = Buffer.concat([sealing.update(text, 'utf8'), sealing.final()]);
  return Buffer.concat([nonce, sealing.getAuthTag(), hidden]);
}

/** The text; undefined for bytes that were not sealed with this key for `bound`. */
export function opened(bytes: Uint8Array, key: Uint8Array, bound: Uint8Array): string | undefined {
  const text = nonceBytes + tagBytes;
  if (bytes.byteLength < text) return undefined;
  try {
    const opening = createDecipheriv(cipher, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
    opening.setAAD(bound).setAuthTag(bytes.subarray(nonceBytes, text));
    return opening.update(bytes.subarray(text), undefined, 'utf8') + opening.final('utf8');
  } catch {
    return undefined;
  }
}
