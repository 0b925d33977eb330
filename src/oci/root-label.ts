import { algorithmOf, type Digest, hexOf, isDigest } from './digest.ts';
import { parseTag, type Tag } from './reference.ts';

const prefix = '_below_sha256-';

/**
 * What records of content below a manifest say where they name a tag otherwise: an image stream
 * names the manifest by its digest. It has the form of a tag, so that every version can read it.
 * Undefined for a digest that no image stream names.
 */
export function rootLabel(digest: Digest): Tag | undefined {
  return algorithmOf(digest) === 'sha256' ? parseTag(`${prefix}${hexOf(digest)}`) : undefined;
}

/** The manifest that a label names; undefined for a tag. Only a hint: the content is the proof. */
export function rootOf(label: Tag): Digest | undefined {
  if (!label.startsWith(prefix)) return undefined;
  const digest = `sha256:${label.slice(prefix.length)}`;
  return isDigest(digest) ? digest : undefined;
}
