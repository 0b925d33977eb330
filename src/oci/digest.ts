import { createHash, type Hash } from 'node:crypto';
import { RegistryError } from './errors.ts';

declare const brand: unique symbol;

/** A digest `<algorithm>:<hex>` that passed parseDigest; sha256 and sha512 only (image-spec). */
export type Digest = string & { readonly [brand]: 'Digest' };

const shapes = { sha256: /^sha256:[0-9a-f]{64}$/, sha512: /^sha512:[0-9a-f]{128}$/ } as const;

export type Algorithm = keyof typeof shapes;

/** True when the text is a digest that we can verify. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && (shapes.sha256.test(text) || shapes.sha512.test(text));
}

/** The text as a digest; throws `DIGEST_INVALID` for another text or an unknown algorithm. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryError('DIGEST_INVALID', 'not a sha256 or sha512 digest', {
    detail: { digest: text.slice(0, 150) },
  });
}

/** The algorithm a digest names. */
export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

/** The encoded part of a digest: 64 or 128 lower-case hexadecimal characters. */
export function hexOf(digest: Digest): string {
  return digest.slice(7);
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

/** True for the digest of no bytes. */
export function isOfNothing(digest: Digest): boolean {
  return digest === digestOf(new Uint8Array(), algorithmOf(digest));
}

/** A running hash of the algorithm that `digest` names; compare with isMatch. */
export function digester(digest: Digest): Hash {
  return createHash(algorithmOf(digest));
}

/** Ends the hash and says whether the bytes it saw are the ones that `digest` names. */
export function isMatch(hash: Hash, digest: Digest): boolean {
  return hash.digest('hex') === hexOf(digest);
}

/** Whether the bytes are the ones that `digest` names. */
export function isNamedBy(digest: Digest, bytes: Uint8Array): boolean {
  return digestOf(bytes, algorithmOf(digest)) === digest;
}
