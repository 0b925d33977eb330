import { concurrently } from '../../base/flow/each.ts';
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
    const member = parseMemberKey(key);
    if (member === undefined || writtenAt >= before || isHeld(member.digest)) return;
    await records.delete(key);
    deleted += 1;
  };
  await concurrently(listing, deletesAtATime, look, { signal });
  return deleted;
}
