import { hash, randomBytes } from 'node:crypto';

/**
 * A hash under a key of this process: it reveals nothing of the secret, and callers cannot choose
 * it. An HMAC would be no better, as no hash is ever shown, and takes several times as long.
 */
export function createKeyedHash(): (secret: string) => string {
  const key = randomBytes(32).toString('base64');
  return (secret) => hash('sha256', key + secret, 'base64');
}
