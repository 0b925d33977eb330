import { ageMs } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';

/** An expression over a tag's text. */
export interface TagTest {
  test(text: string): boolean;
}

/** What is known of a tag. */
export interface TagPointer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  /** The upstream's entity tag, for `If-None-Match`. */
  readonly etag?: string;
  /** When the upstream last said so, milliseconds since the epoch. */
  readonly checkedAt: number;
  /** `Warning` values that the upstream sent with it. */
  readonly warnings?: readonly string[];
  /** What the tag meant before, newest first. */
  readonly history?: readonly TagMeaning[];
}

/** One earlier meaning of a tag. */
export interface TagMeaning {
  readonly digest: Digest;
  readonly mediaType: string;
  /** When it was first and last seen, milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

/** How long a tag is believed. All times in milliseconds since the last check. */
export interface TagPolicy {
  /** No question at all. */
  readonly freshMs: number;
  /** After that: answered at once, and asked behind the answer. */
  readonly refreshBehindMs: number;
  /** How old an answer may be when the upstream cannot be asked. */
  readonly staleMs: number;
  /** How long "no such tag" is believed. */
  readonly negativeMs: number;
  /** Tags that never move: never asked about again. */
  readonly immutable: readonly TagTest[];
  /** How a tag that the upstream no longer has is treated: hidden, or answered with a warning. */
  readonly gone: 'hide' | 'keep';
}

type Freshness = 'answer' | 'answer-and-refresh' | 'ask';

/** What to do with a tag before the upstream is asked. A check that is not yet due is none. */
export function freshness(tag: string, pointer: TagPointer, policy: TagPolicy, now: number): Freshness {
  const age = ageMs(pointer.checkedAt, now);
  if (age <= policy.freshMs || policy.immutable.some((pattern) => pattern.test(tag))) return 'answer';
  return age <= policy.freshMs + policy.refreshBehindMs ? 'answer-and-refresh' : 'ask';
}

/** Whether the tag may be answered without the upstream (RFC 9111 section 4.2.4). */
export function mayServeStale(pointer: TagPointer, policy: TagPolicy, now: number): boolean {
  return ageMs(pointer.checkedAt, now) <= policy.staleMs;
}

/** The pointer after the upstream confirmed it. */
export function confirmed(pointer: TagPointer, now: number): TagPointer {
  return { ...pointer, checkedAt: now };
}

/** The pointer after the upstream named a (new) digest; the old one goes into the history. */
export function moved(
  before: TagPointer | undefined,
  after: Omit<TagPointer, 'history'>,
  historyEntries: number,
): TagPointer {
  if (before === undefined) return after;
  const history = before.history ?? [];
  if (before.digest === after.digest) return { ...after, history };
  const from = history[0]?.until ?? before.checkedAt;
  const { digest, mediaType } = before;
  const meaning = { digest, mediaType, from, until: after.checkedAt };
  return { ...after, history: [meaning, ...history].slice(0, historyEntries) };
}
