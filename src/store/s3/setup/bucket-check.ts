import type { BucketSettings } from '../bucket/bucket-settings.ts';
import {
  type BucketFinding,
  type BucketOwner,
  ownerOf,
  storageCleanup,
  storageClock,
  storageConditionalWrites,
  storageEncrypted,
  storageExists,
  storagePublicAccessBlocked,
  storageTagged,
} from './bucket-conditions.ts';

interface BucketCheckOptions {
  /** The bucket and its server, for messages. */
  readonly place: string;
  /** Whose bucket it is by its tag. */
  readonly identity: string;
  /** What all keys of the store begin with; empty, or ends in `/`. */
  readonly prefix: string;
}

type BucketFindings = readonly [
  tagged: BucketFinding,
  encrypted: BucketFinding,
  publicAccessBlocked: BucketFinding,
  cleanup: BucketFinding,
  conditionalWrites: BucketFinding,
];

/** Looks at the bucket, and changes nothing of it. Never throws. */
export interface BucketCheck {
  /** One call to S3: `StorageExists` and `StorageClock`. */
  presence(): Promise<readonly [exists: BucketFinding, clock: BucketFinding]>;
  /** Seven calls: the other conditions, in the order of `bucketConditionTypes`. */
  settings(): Promise<BucketFindings>;
}

export function createBucketCheck(
  bucket: Pick<
    BucketSettings,
    'exists' | 'tags' | 'encryption' | 'publicAccessBlock' | 'lifecycle' | 'conditionalWrites' | 'skewMs'
  >,
  { place, identity, prefix }: BucketCheckOptions,
): BucketCheck {
  let owner: BucketOwner = 'unknown';
  return {
    async presence() {
      const found = await bucket.exists();
      return [storageExists(found, place, owner), storageClock(bucket.skewMs)];
    },
    async settings() {
      const [tags, encryption, publicAccess, lifecycle] = await Promise.all([
        bucket.tags(),
        bucket.encryption(),
        bucket.publicAccessBlock(),
        bucket.lifecycle(),
      ]);
      owner = ownerOf(tags, identity);
      return [
        storageTagged(tags, identity),
        storageEncrypted(encryption),
        storagePublicAccessBlocked(publicAccess),
        storageCleanup(lifecycle, prefix),
        storageConditionalWrites(await bucket.conditionalWrites()),
      ];
    },
  };
}
