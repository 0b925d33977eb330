import { createHmac, randomBytes } from 'node:crypto';

/** Hashes a secret into a key of a map. */
export type KeyedHash = (secret: string) => string;

/** A hash that no other process has: what is kept under it tells nothing of the secret, and nobody can choose where it falls. */
export function keyedHash(): KeyedHash {
  const key = randomBytes(32);
  return (secret) => createHmac('sha256', key).update(secret).digest('base64');
}
