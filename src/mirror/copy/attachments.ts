import type { Digest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { TagPage } from '../../oci/registry-reader.ts';
import { askSource, type Copying } from './copying.ts';
import { cosignTags } from './cosign-tags.ts';

/** Before every tag of cosign, and after few others. */
const prefix = 'sha256-';
const tagsPerPage = 1_000;

/** The tags of cosign that the source may have for those manifests: see `presentTags`. */
export async function attachmentTags(digests: readonly Digest[], copying: Copying): Promise<readonly Tag[]> {
  const [reference] = digests;
  if (reference === undefined) return [];
  const { source, from } = copying.image;
  const tags = await presentTags(digests, (query) =>
    askSource(copying, { kind: 'referrers', reference }, (signal) =>
      source.tags(from.repository, query, { signal }),
    ),
  );
  copying.signal.throwIfAborted();
  return tags;
}

/**
 * The tags of cosign that a repository may have for those manifests. One page finds them, or that
 * there are none, where the registry lists tags in order from a given one, or all at once. Else, as
 * where more than 1,000 tags of cosign lie in the repository, or where the page cannot be read, all
 * are returned: three for each.
 */
export async function presentTags(
  digests: readonly Digest[],
  list: (query: string) => Promise<TagPage | undefined>,
): Promise<readonly Tag[]> {
  const tags = digests.flatMap(cosignTags);
  if (tags.length === 0) return [];
  const page = await list(`n=${tagsPerPage}&last=${prefix}`).catch(() => undefined);
  if (page === undefined || !isWhole(page)) return tags;
  const listed = new Set(page.tags);
  return tags.filter((tag) => listed.has(tag));
}

/** Whether no tag of cosign is left for later pages. */
function isWhole({ tags, nextQuery }: TagPage): boolean {
  if (nextQuery === undefined) return true;
  const isSorted = tags.every((tag, index) => tag > (tags[index - 1] ?? prefix));
  return isSorted && tags.at(-1)?.startsWith(prefix) === false;
}
