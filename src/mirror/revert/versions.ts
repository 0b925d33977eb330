import type { Repository, Tag } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import { allTags } from '../endpoints/reading.ts';
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
 * The versions that were kept of a tag, the newest first. Lists the tags that begin with digits, or
 * all where the registry lists them in another order. Throws `RegistryError`.
 */
export async function keptVersions(
  reader: RegistryReader,
  repository: Repository,
  tag: Tag,
  signal: AbortSignal,
): Promise<readonly KeptVersion[]> {
  const found: KeptVersion[] = [];
  let last = '';
  let isSorted = true;
  for await (const each of allTags(reader, repository, { after: before, signal })) {
    isSorted &&= each > last;
    last = each;
    if (isSorted && each > afterDigits) break;
    const time = keptSince(each, tag);
    if (time !== undefined) found.push({ tag: each, time });
  }
  return found.sort((left, right) => (left.time < right.time ? 1 : -1));
}
