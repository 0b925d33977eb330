import type { BucketTags } from '../bucket/bucket-settings.ts';

const owned = 'owned';

/**
 * The tag of a bucket that `quayside bucket ensure` created for this identity, as Kubernetes tags
 * what a cluster owns.
 */
export function identityTag(identity: string): BucketTags {
  return { [tagKey(identity)]: owned };
}

/** Whether the bucket was created for this identity. */
export function isOurs(tags: BucketTags, identity: string): boolean {
  return tags[tagKey(identity)] === owned;
}

function tagKey(identity: string): string {
  return `quayside/${identity}`;
}
