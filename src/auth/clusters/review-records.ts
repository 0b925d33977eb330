import { hash } from 'node:crypto';
import { field, jsonOrNone } from '../../base/text/json.ts';
import type { Subject } from '../access.ts';
import { parseSubject } from '../subject.ts';
import { derivedKey, opened, sealed } from '../tokens/sealing.ts';
import type { TokenKey } from '../tokens/token-keys.ts';

/** Small named values that all replicas share; the cache's records are such. */
export interface ReviewRecords {
  get(key: string): Promise<{ readonly bytes: Uint8Array; readonly version: string } | undefined>;
  /** Resolves to undefined where the condition failed. */
  put(
    key: string,
    bytes: Uint8Array,
    condition?: { readonly ifVersion: 'absent' | (string & {}) },
  ): Promise<string | undefined>;
  delete(key: string): Promise<void>;
  list(
    prefix: string,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<{ readonly key: string; readonly writtenAt: number }>;
}

/** Where the review of one token lies, and what seals it. */
export interface ReviewSlot {
  readonly key: string;
  readonly sealingKey: Uint8Array;
}

/** A yes of the cluster; times in milliseconds since the epoch. */
export interface AcceptedReview {
  readonly subject: Subject;
  /** When the review was begun. */
  readonly reviewedAtMs: number;
  readonly validUntilMs: number;
}

/** A replica asks the cluster about that token since then, in milliseconds since the epoch. */
export interface ReviewClaim {
  readonly claimedAtMs: number;
}

const prefix = 'v1/secrets/reviews/';
const halfBytes = 32;

/**
 * Name and key of a token's record both come from the secret, the cluster and the token itself.
 * So only a process with the secret can find, test or write one, and no content is good under
 * another token, at another cluster, or after the secret was replaced.
 */
export function reviewSlot(
  secret: NonNullable<TokenKey['signing']>,
  cluster: string,
  token: string,
): ReviewSlot {
  const about = hash('sha256', JSON.stringify([cluster, token]));
  const bytes = derivedKey(secret, `quayside shared reviews ${about}`, 2 * halfBytes);
  return {
    key: `${prefix}${Buffer.from(bytes.subarray(0, halfBytes)).toString('hex')}`,
    sealingKey: bytes.subarray(halfBytes),
  };
}

export function sealedReview(record: AcceptedReview | ReviewClaim, slot: ReviewSlot): Uint8Array {
  return sealed(JSON.stringify(record), slot.sealingKey, Buffer.from(slot.key));
}

/** Undefined for what was not sealed for that slot, whole and unchanged. */
export function openedReview(bytes: Uint8Array, slot: ReviewSlot): AcceptedReview | ReviewClaim | undefined {
  const value = jsonOrNone(opened(bytes, slot.sealingKey, Buffer.from(slot.key)) ?? '');
  const claimedAtMs = field(value, 'claimedAtMs');
  if (typeof claimedAtMs === 'number') return { claimedAtMs };
  const subject = parseSubject(JSON.stringify(field(value, 'subject') ?? null));
  const reviewedAtMs = field(value, 'reviewedAtMs');
  const validUntilMs = field(value, 'validUntilMs');
  if (subject === undefined || typeof reviewedAtMs !== 'number' || typeof validUntilMs !== 'number')
    return undefined;
  return { subject, reviewedAtMs, validUntilMs };
}

/** Deletes records that were written longer ago, in milliseconds; resolves to their number. */
export async function sweepReviews(
  records: Pick<ReviewRecords, 'list' | 'delete'>,
  olderThanMs: number,
  options: { readonly signal?: AbortSignal; readonly now?: () => number } = {},
): Promise<number> {
  const { signal, now = Date.now } = options;
  let swept = 0;
  for await (const { key, writtenAt } of records.list(prefix, signal === undefined ? {} : { signal })) {
    signal?.throwIfAborted();
    if (now() - writtenAt < olderThanMs) continue;
    await records.delete(key);
    swept += 1;
  }
  return swept;
}
