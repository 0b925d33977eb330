import type { Repository, Tag } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import { tagPages } from '../endpoints/reading.ts';
import { keptSince } from '../references/names.ts';

/** A tag that keeps what another tag named. */
export interface KeptVersion {
  readonly tag: Tag;
  /** 14 digits, in the order of time. Promotion writes its local time, the mirror UTC. */
  readonly time: string;
}

/** Tags that keep an image begin with a digit above this one. */
const before = '1';
const afterDigits = ':';

/**
 * The versions that were kept of a tag, the newest first. Lists the tags that begin with digits;
 * all where a page is not in order, as those of docker-registry 2.8. Throws `RegistryError`.
 */
export async function keptVersions(
  reader: RegistryReader,
  repository: Repository,
  tag: Tag,
  signal: AbortSignal,
): Promise<readonly KeptVersion[]> {
  const found = new Map<Tag, KeptVersion>();
  let last = '';
  let isSorted = true;
  for await (const page of tagPages(reader, repository, { after: before, signal })) {
    for (const each of page) {
      isSorted &&= each > last;
      last = each;
      const time = keptSince(each, tag);
      if (time !== undefined) found.set(each, { tag: each, time });
    }
    if (isSorted && last > afterDigits) break;
  }
  return [...found.values()].sort((left, right) => (left.time < right.time ? 1 : -1));
}
