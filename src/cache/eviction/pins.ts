import { concurrently } from '../../base/flow/each.ts';
import { field, jsonOrNone } from '../../base/text/json.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { parseTagKey, tagsPrefix } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { TagTest } from '../records/freshness.ts';

const readsAtATime = 8;

/**
 * The digests of the tags whose full name `<upstream>/<repository>:<tag>` matches a pattern.
 * Rejects if a pinned tag's pointer cannot be read: pinned content is never evicted.
 */
export async function pinnedDigests(
  records: Records,
  pins: readonly TagTest[],
  signal?: AbortSignal,
): Promise<Set<Digest>> {
  const digests = new Set<Digest>();
  if (pins.length === 0) return digests;
  const listing = records.list(tagsPrefix, signal === undefined ? {} : { signal });
  const look = async ({ key }: { readonly key: string }) => {
    if (!isPinned(key, pins)) return;
    const digest = pointedDigest((await records.get(key))?.bytes);
    if (digest !== undefined) digests.add(digest);
  };
  await concurrently(listing, readsAtATime, look, { signal });
  return digests;
}

function isPinned(key: string, pins: readonly TagTest[]): boolean {
  const parsed = parseTagKey(key);
  if (parsed === undefined) return false;
  const name = `${parsed.upstream}/${parsed.repository}:${parsed.tag}`;
  return pins.some((pin) => pin.test(name));
}

function pointedDigest(bytes: Uint8Array | undefined): Digest | undefined {
  const digest = field(bytes && jsonOrNone(bytes), 'digest');
  return isDigest(digest) ? digest : undefined;
}
