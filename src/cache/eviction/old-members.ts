import { concurrently } from '../../base/each.ts';
import type { Digest } from '../../oci/digest.ts';
import { membersPrefix, parseMemberKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';

const deletesAtATime = 8;

interface OldMembersOptions {
  /** True for what the store holds: its membership stays. */
  readonly isHeld: (digest: Digest) => boolean;
  /** Records written later than this stay, milliseconds since the epoch. */
  readonly before: number;
  readonly signal?: AbortSignal;
}

/**
 * Deletes the membership of content that the store holds no more, else there would be a record for everything that was ever
 * pulled. Resolves to how many. Forgetting is safe at any time: the upstream is asked again, once.
 */
export async function deletedOldMembers(
  records: Records,
  { isHeld, before, signal }: OldMembersOptions,
): Promise<number> {
  let deleted = 0;
  const listing = records.list(membersPrefix, signal === undefined ? {} : { signal });
  const look = async ({ key, writtenAt }: { readonly key: string; readonly writtenAt: number }) => {
    const member = parseMemberKey(key);
    if (member === undefined || writtenAt >= before || isHeld(member.digest)) return;
    await records.delete(key);
    deleted += 1;
  };
  await concurrently(listing, deletesAtATime, look, { signal });
  return deleted;
}
