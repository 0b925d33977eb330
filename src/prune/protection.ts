import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { ContentDeletion, KeptObject } from './plan.ts';

/** What a read of a tag said: its digest, that there is no such tag, or nothing, and why. */
export type TagReading = Digest | 'gone' | { readonly unread: string };

/** Who needs a digest. */
export interface DigestNeeds {
  /** False while that cannot be told: then every digest counts as needed. */
  readonly inSync: boolean;
  /** The image stream that names it, for people; undefined where none does. */
  namedBy(digest: Digest): string | undefined;
}

/** All that decides about one tag. */
export interface TagFacts {
  readonly tag: Tag;
  /** Why it may go, for people. */
  readonly reason: string;
  readonly now: TagReading;
  /** The tag whose former image it keeps, as it is now. Undefined where its name does not say. */
  readonly float?: { readonly tag: Tag; readonly now: TagReading };
  /** The held destination that the tag belongs to. */
  readonly heldFor?: string;
}

/**
 * Decides about one tag; `gone` where there is none. It stays while it is held, while it cannot be
 * read, and while it may be the last tag of a digest that an image stream names: only the float
 * that was seen to name the same digest counts as another one.
 */
export function judged(facts: TagFacts, needs: DigestNeeds): ContentDeletion | KeptObject | 'gone' {
  const { tag: id, reason, now, float, heldFor } = facts;
  if (now === 'gone') return 'gone';
  if (typeof now === 'object') return { id, kept: 'unread', why: now.unread };
  if (heldFor !== undefined) return { id, kept: 'held', why: `a hold is on ${heldFor}` };
  const isElsewhere = float !== undefined && float.now === now;
  if (!isElsewhere && !needs.inSync)
    return { id, kept: 'image streams not in sync', why: `cannot tell whether one names ${now}` };
  const stream = isElsewhere ? undefined : needs.namedBy(now);
  if (stream !== undefined)
    return { id, kept: 'named by an image stream', why: `image stream tag ${stream} names ${now}` };
  return { id, reason, digest: now, after: [] };
}
