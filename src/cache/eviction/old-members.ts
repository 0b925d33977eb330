import { concurrently } from '../../base/flow/each.ts';
import type { Digest } from '../../oci/digest.ts';
import { membersPrefix, parseJointKey, parseMemberKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { IndexEntry } from '../members/index-entry.ts';
import { jointBytes, parseJoint } from '../members/joint-record.ts';

const deletesAtATime = 8;

interface OldMembersOptions {
  /** True for what the store holds: its membership stays. */
  readonly isHeld: (digest: Digest) => boolean;
  /** Records written later than this stay, milliseconds since the epoch. */
  readonly before: number;
  readonly signal?: AbortSignal;
}

/**
 * Deletes the membership of content that is not stored any more, as records of everything ever
 * pulled would pile up. Resolves to the number. Always safe: the upstream is asked again, once.
 */
export async function deletedOldMembers(
  records: Records,
  { isHeld, before, signal }: OldMembersOptions,
): Promise<number> {
  let deleted = 0;
  const listing = records.list(membersPrefix, signal === undefined ? {} : { signal });
  const look = async ({ key, writtenAt }: { readonly key: string; readonly writtenAt: number }) => {
    if (parseJointKey(key) !== undefined) deleted += await forgottenIn(records, key, { isHeld, before });
    const member = parseMemberKey(key);
    if (member === undefined || writtenAt >= before || isHeld(member.digest)) return;
    await records.delete(key);
    deleted += 1;
  };
  await concurrently(listing, deletesAtATime, look, { signal });
  return deleted;
}

/** Takes old members out of a joint record, unless it changes meanwhile: the next run does then. */
async function forgottenIn(
  records: Records,
  key: string,
  { isHeld, before }: Pick<OldMembersOptions, 'isHeld' | 'before'>,
): Promise<number> {
  const stored = await records.get(key);
  const joint = stored && parseJoint(stored.bytes);
  if (stored === undefined || joint === undefined || joint === 'later' || joint.isDissolved) return 0;
  const isKept = (digest: Digest, { seenAt, tagsAt }: IndexEntry): boolean =>
    isHeld(digest) || Math.max(seenAt, tagsAt) >= before;
  const members = new Map([...joint.members].filter(([digest, member]) => isKept(digest, member)));
  const gone = joint.members.size - members.size;
  if (gone === 0) return 0;
  const bytes = jointBytes({ members, isDissolved: false }, undefined);
  const version = await records.put(key, bytes, { ifVersion: stored.version });
  return version === undefined ? 0 : gone;
}
