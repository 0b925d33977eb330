import {
  type BucketAnswer,
  type BucketTags,
  type EncryptionSettings,
  isWholeBlock,
  type LifecycleSettings,
  type PublicAccessBlock,
} from '../bucket/bucket-settings.ts';
import { type BucketOwner, ownerOf } from './bucket-conditions.ts';
import { identityTag } from './bucket-identity.ts';
import { coveringRule } from './lifecycle-rules.ts';

/** What the bucket should be like. */
export interface WantedBucket {
  readonly identity: string;
  /** Further tags. */
  readonly tags: BucketTags;
  readonly encryption: EncryptionSettings;
  /** What all keys of the store begin with; empty, or ends in `/`. */
  readonly prefix: string;
  /** After how many days an incomplete upload is aborted. */
  readonly cleanupDays: number;
}

/** What the bucket is like. */
export interface FoundBucket {
  readonly exists: BucketAnswer<true>;
  readonly tags: BucketAnswer<BucketTags>;
  readonly encryption: BucketAnswer<EncryptionSettings>;
  readonly publicAccessBlock: BucketAnswer<PublicAccessBlock>;
  readonly lifecycle: BucketAnswer<LifecycleSettings>;
}

/** One change. */
export type BucketStep =
  | { readonly kind: 'create' }
  | { readonly kind: 'block-public-access'; readonly before?: PublicAccessBlock }
  /** Added to the tags that are there. */
  | { readonly kind: 'tag'; readonly added: BucketTags }
  | { readonly kind: 'encrypt'; readonly encryption: EncryptionSettings }
  /** Added to the rules that are there. */
  | { readonly kind: 'clean-up'; readonly days: number };

/** What would be changed. */
export interface BucketPlan {
  readonly owner: BucketOwner | 'none';
  /** In the order in which they are made. Of a bucket that is not ours: what it lacks. */
  readonly steps: readonly BucketStep[];
  /** What S3 does not tell, and is left as it is. */
  readonly untold: readonly string[];
}

/**
 * Changes only what is missing; what is there is kept. A setting that S3 does not tell is not
 * changed: writing tags or rules replaces all of them.
 */
export function bucketPlan(found: FoundBucket, wanted: WantedBucket): BucketPlan {
  if (found.exists.kind === 'none') {
    return { owner: 'none', steps: [{ kind: 'create' }, ...lackingSteps(nothing, wanted)], untold: [] };
  }
  const untold = Object.entries(found).flatMap(([name, answer]: [string, BucketAnswer<unknown>]) =>
    answer.kind === 'unknown' ? [`${names[name] ?? name}: ${answer.code}: ${answer.message}`] : [],
  );
  const owner = found.exists.kind === 'is' ? ownerOf(found.tags, wanted.identity) : 'unknown';
  return { owner, steps: owner === 'unknown' ? [] : lackingSteps(found, wanted), untold };
}

const none = { kind: 'none', code: 'NoSuchBucket', message: '' } as const;

/** A bucket that was just created. */
const nothing = { tags: none, encryption: none, publicAccessBlock: none, lifecycle: none };

const names: Readonly<Record<string, string>> = {
  exists: 'the bucket',
  tags: 'tags',
  encryption: 'default encryption',
  publicAccessBlock: 'the block of public access',
  lifecycle: 'lifecycle rules',
};

function lackingSteps(found: Omit<FoundBucket, 'exists'>, wanted: WantedBucket): readonly BucketStep[] {
  const { tags, encryption, publicAccessBlock, lifecycle } = found;
  const steps: BucketStep[] = [];
  const held = tags.kind === 'is' ? tags.value : {};
  const missing = Object.entries({ ...wanted.tags, ...identityTag(wanted.identity) }).filter(
    ([key, value]) => held[key] !== value,
  );
  const added = Object.fromEntries(missing);
  if (tags.kind !== 'unknown' && missing.length > 0) steps.push({ kind: 'tag', added });
  if (publicAccessBlock.kind === 'none') steps.push({ kind: 'block-public-access' });
  if (publicAccessBlock.kind === 'is' && !isWholeBlock(publicAccessBlock.value))
    steps.push({ kind: 'block-public-access', before: publicAccessBlock.value });
  if (encryption.kind === 'none') steps.push({ kind: 'encrypt', encryption: wanted.encryption });
  const rules = lifecycle.kind === 'is' ? lifecycle.value : {};
  if (lifecycle.kind !== 'unknown' && coveringRule(rules, wanted.prefix) === undefined)
    steps.push({ kind: 'clean-up', days: wanted.cleanupDays });
  return steps;
}

/** A step in words, as an order. */
export function stepText(step: BucketStep): string {
  switch (step.kind) {
    case 'create':
      return 'create the bucket';
    case 'tag':
      return `tag it ${Object.entries(step.added)
        .map(([key, value]) => `${key}=${value}`)
        .join(', ')}`;
    case 'block-public-access':
      return 'block all public access';
    case 'encrypt':
      return `enable default ${step.encryption.algorithm} encryption`;
    case 'clean-up':
      return `add a lifecycle rule that aborts incomplete multipart uploads after ${step.days} d`;
  }
}
