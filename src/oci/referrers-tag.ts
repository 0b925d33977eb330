import { algorithmOf, type Digest, hexOf } from './digest.ts';
import { parseTag, type Tag } from './reference.ts';

const shape = /^sha(?:256|512)-[0-9a-f]{64}$/;

/** The tag that stands in for the referrers API (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(digest: Digest): Tag {
  return parseTag(`${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`);
}

/** True for a tag under which cosign keeps what it attaches to a manifest, such as a signature. */
export function isAttachmentTag(tag: Tag): boolean {
  return /^sha256-[0-9a-f]{64}\.(?:sig|att|sbom)$/.test(tag);
}

/** True for a tag that referrersTag could have made. */
export function isReferrersTag(tag: Tag): boolean {
  return shape.test(tag);
}
