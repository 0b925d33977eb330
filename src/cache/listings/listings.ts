// Room `cache/listings`: lists of tags and referrers. In: pages of the upstream. Out: pages in our
// order, with what the cache knows. Imports: base, oci; types of cache, cache/manifests,
// cache/records.

import type { LRUCache } from 'lru-cache';
import { field, listOf, parseJson } from '../../base/text/json.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { manifestOrNone, mediaTypes } from '../../oci/manifest.ts';
import type { Repository } from '../../oci/reference.ts';
import { referrersTag } from '../../oci/referrers-tag.ts';
import type { ReferrersPage, RegistryReader } from '../../oci/registry-reader.ts';
import type { TagResolver } from '../manifests/tag-resolver.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';
import { askedPages, type RememberedPage, type ServedPage } from './asked-pages.ts';
import { createTagPages, type HeldTags, type TagPages } from './tag-pages.ts';

/** Lists of one upstream: tags, and what refers to a manifest. */
export interface Listings {
  readonly tags: TagPages;
  /** Missing referrers are an empty index (distribution-spec, "Listing Referrers"), no error. */
  referrers(
    repository: Repository,
    digest: Digest,
    query: string,
    artifactType?: string,
  ): Promise<ServedPage<ReferrersPage>>;
}

interface ListingsOptions {
  readonly upstream: RegistryReader;
  readonly manifests: TagResolver;
  /** Learns that what refers to a manifest is reached by those who reach that. */
  readonly membership: RepositoryIndex;
  readonly pages: LRUCache<string, RememberedPage<ReferrersPage>>;
  readonly tagLists: LRUCache<string, RememberedPage<HeldTags>>;
  readonly policy: { readonly freshMs: number; readonly staleMs: number };
  readonly now: () => number;
}

/** Of one page; nothing real has a tenth of it, and each is a record. */
const mostLabelled = 1_000;

/** Listings of the upstream, remembered while fresh like tags, answered stale when it is down. */
export function createListings(options: ListingsOptions): Listings {
  const { upstream, manifests, membership, pages, tagLists, policy, now } = options;
  const answered = askedPages<ReferrersPage>({ name: upstream.name, policy, now });

  async function askReferrers(
    repository: Repository,
    digest: Digest,
    query: string,
    type?: string,
  ): Promise<ReferrersPage> {
    const page = await upstream.referrers(repository, digest, query);
    if (page === undefined) return filtered(await fallback(repository, digest), type);
    const scope = { upstream: upstream.name, repository };
    await membership.add(scope, listedIn(page), referrersTag(digest));
    return page;
  }

  /** The index under the referrers tag, kept by clients of registries that lack the API. */
  async function fallback(repository: Repository, digest: Digest): Promise<readonly unknown[]> {
    try {
      const { bytes } = await manifests.resolve(repository, { tag: referrersTag(digest) });
      return listOf(field(parseJson(bytes), 'manifests'));
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN') return [];
      throw error;
    }
  }

  return {
    tags: createTagPages({ upstream, memory: tagLists, policy, now }),
    referrers(repository, digest, query, type) {
      const key = `${upstream.name}/${repository} ${digest}?${query}`;
      return answered({
        key,
        held: () => pages.get(key),
        async ask() {
          const { ageMs = 0, ...page } = await askReferrers(repository, digest, query, type);
          const asked = { page, askedAt: now() - ageMs };
          pages.set(key, asked);
          return { ...asked, ageMs };
        },
      });
    },
  };
}

/** What a page lists; nothing where it is no index, which is the client's to judge. */
function listedIn({ bytes, mediaType }: ReferrersPage): readonly Descriptor[] {
  return (manifestOrNone(bytes, mediaType)?.children ?? []).slice(0, mostLabelled);
}

function filtered(entries: readonly unknown[], artifactType: string | undefined): ReferrersPage {
  const isWanted = (entry: unknown): boolean =>
    artifactType === undefined || field(entry, 'artifactType') === artifactType;
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries.filter(isWanted) };
  return {
    bytes: Buffer.from(JSON.stringify(index)),
    mediaType: mediaTypes.ociIndex,
    warnings: [],
    ...(artifactType === undefined ? {} : { filtersApplied: 'artifactType' }),
  };
}
