// Room `store/s3/setup`: what the bucket is like, and what `quayside bucket ensure` changes of it.
// In: answers of S3. Out: conditions in the registry operator's words; steps of a plan. Imports:
// base, store/s3/bucket.

import {
  type BucketAnswer,
  type BucketTags,
  type EncryptionSettings,
  isWholeBlock,
  type LifecycleSettings,
  type PublicAccessBlock,
} from '../bucket/bucket-settings.ts';
import { isOurs } from './bucket-identity.ts';
import { coveringRule } from './lifecycle-rules.ts';

/** A condition of the bucket, without its type. */
export interface BucketFinding {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** The types, as of the registry operator and two of our own. */
export const bucketConditionTypes = [
  'StorageExists',
  'StorageClock',
  'StorageTagged',
  'StorageEncrypted',
  'StoragePublicAccessBlocked',
  'StorageIncompleteUploadCleanupEnabled',
  'StorageConditionalWrites',
] as const;

/** Ours by its identity tag, that of a user, or not told. */
export type BucketOwner = 'ours' | 'user supplied' | 'unknown';

/** By the tag with which `quayside bucket ensure` creates a bucket. */
export function ownerOf(tags: BucketAnswer<BucketTags>, identity: string): BucketOwner {
  if (tags.kind === 'is') return isOurs(tags.value, identity) ? 'ours' : 'user supplied';
  return tags.kind === 'none' ? 'user supplied' : 'unknown';
}

/** `place`: the bucket and its server, for the message. */
export function storageExists(found: BucketAnswer<true>, place: string, owner: BucketOwner): BucketFinding {
  if (found.kind === 'none')
    return { status: 'False', reason: found.code, message: `${place} does not exist: ${found.message}` };
  if (found.kind === 'unknown') return notTold(found, `cannot tell whether ${place} exists`);
  const message =
    owner === 'user supplied'
      ? 'User supplied S3 bucket exists and is accessible'
      : 'S3 bucket exists and is accessible';
  return { status: 'True', reason: 'S3 Bucket Exists', message };
}

export function storageTagged(tags: BucketAnswer<BucketTags>, identity: string): BucketFinding {
  if (tags.kind === 'unknown') return notTold(tags, 'cannot read the tags of the bucket');
  if (ownerOf(tags, identity) === 'ours')
    return {
      status: 'True',
      reason: 'Tagging Successful',
      message: 'Tags were successfully applied to the S3 bucket',
    };
  return {
    status: 'False',
    reason: tags.kind === 'none' ? tags.code : 'User Supplied',
    message: 'the bucket is user supplied: quayside bucket ensure did not create it, and changes nothing',
  };
}

export function storageEncrypted(found: BucketAnswer<EncryptionSettings>): BucketFinding {
  if (found.kind === 'unknown') return notTold(found, 'cannot read the default encryption of the bucket');
  if (found.kind === 'is' && found.value.algorithm !== '')
    return {
      status: 'True',
      reason: 'Encryption Successful',
      message: `Default ${found.value.algorithm} encryption was successfully enabled on the S3 bucket`,
    };
  return lacking(found, 'the bucket has no default encryption');
}

export function storagePublicAccessBlocked(found: BucketAnswer<PublicAccessBlock>): BucketFinding {
  if (found.kind === 'unknown') return notTold(found, 'cannot read whether public access is blocked');
  if (found.kind === 'is' && isWholeBlock(found.value))
    return {
      status: 'True',
      reason: 'Public Access Block Successful',
      message: 'Public access to the S3 bucket and its contents have been successfully blocked',
    };
  return lacking(found, 'public access to the bucket is not blocked, or only a part of it');
}

/** `prefix`: what all keys of the store begin with; empty for nothing. */
export function storageCleanup(found: BucketAnswer<LifecycleSettings>, prefix: string): BucketFinding {
  if (found.kind === 'unknown') return notTold(found, 'cannot read the lifecycle rules of the bucket');
  const rule = found.kind === 'is' ? coveringRule(found.value, prefix) : undefined;
  const days = rule?.AbortIncompleteMultipartUpload?.DaysAfterInitiation;
  if (days !== undefined)
    return {
      status: 'True',
      reason: 'Enable Cleanup Successful',
      message: `Default cleanup of incomplete multipart uploads after ${daysText(days)} was successfully enabled`,
    };
  return lacking(found, 'no lifecycle rule of the bucket aborts incomplete multipart uploads');
}

export function storageConditionalWrites(found: BucketAnswer<boolean>): BucketFinding {
  if (found.kind !== 'is') return notTold(found, 'cannot tell whether S3 supports conditional writes');
  return found.value
    ? {
        status: 'True',
        reason: 'Conditional Writes Supported',
        message: 'S3 refuses to write over an object on condition',
      }
    : {
        status: 'False',
        reason: 'Conditional Writes Ignored',
        message:
          'S3 wrote over an object in spite of If-None-Match: leases and records of replicas are not safe',
      };
}

/** A larger difference makes signatures and redirects fail on many servers, in milliseconds. */
const mostSkewMs = 60_000;

export function storageClock(skewMs: number | undefined): BucketFinding {
  if (skewMs === undefined)
    return { status: 'Unknown', reason: 'No Answer', message: 'S3 has not told its time' };
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (Math.abs(skewMs) <= mostSkewMs)
    return {
      status: 'True',
      reason: 'In Sync',
      message: 'the clock of S3 and ours differ by less than 60 s',
    };
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return {
    status: 'False',
    reason: 'Clock Skewed',
    message: `the clock of S3 is ${seconds} s ${direction} ours`,
  };
}

function lacking(found: BucketAnswer<unknown>, message: string): BucketFinding {
  return { status: 'False', reason: found.kind === 'is' ? 'Incomplete' : found.code, message };
}

/** `NotImplemented`, a 403 and the network say nothing about the bucket. */
function notTold(answer: BucketAnswer<unknown>, message: string): BucketFinding {
  if (answer.kind === 'is') return { status: 'Unknown', reason: 'Unknown Error Occurred', message };
  return { status: 'Unknown', reason: answer.code, message: `${message}: ${answer.message}` };
}

function daysText(days: number): string {
  return days === 1 ? 'one (1) day' : `${days} days`;
}
