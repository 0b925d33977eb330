import type { LRUCache } from 'lru-cache';
import type { Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { mediaTypes } from '../oci/manifest.ts';
import type { Repository } from '../oci/reference.ts';
import { referrersTag } from '../oci/referrers-tag.ts';
import type { Page, Upstream } from '../upstream/upstream.ts';
import { ageMs } from './age.ts';
import type { Hit } from './events.ts';
import { manifestOrNone } from './manifest-or-none.ts';
import type { Membership } from './membership.ts';
import { shared } from './shared.ts';
import type { ResolvedManifests } from './tagged.ts';
import { isUnknown } from './unknown.ts';

/** A page of a listing as it is answered. */
export interface ServedPage {
  readonly page: Page;
  readonly hit: Hit;
  readonly ageSeconds?: number;
}

export interface RememberedPage {
  readonly page: Page;
  readonly askedAt: number;
}

/** Lists of one upstream: tags, and what refers to a manifest. */
export interface Listings {
  /** Throws `NAME_UNKNOWN` when there is no such repository. */
  tags(repository: Repository, query: string): Promise<ServedPage>;
  /** Never throws for want of referrers: that is an empty index (distribution-spec, "Listing Referrers"). */
  referrers(
    repository: Repository,
    digest: Digest,
    query: string,
    artifactType?: string,
  ): Promise<ServedPage>;
}

export interface ListingsOptions {
  readonly upstream: Upstream;
  readonly manifests: ResolvedManifests;
  /** Learns that what refers to a manifest is reached by those who reach that. */
  readonly membership: Membership;
  readonly memory: LRUCache<string, RememberedPage>;
  readonly policy: { readonly freshMs: number; readonly staleMs: number };
  readonly now: () => number;
}

/** Of one page; nothing real has a tenth of it, and each is a record. */
const mostLabelled = 1_000;

/** Listings asked of the upstream, remembered for as long as a tag is fresh, and answered stale when it is down. */
export function listings({
  upstream,
  manifests,
  membership,
  memory,
  policy,
  now,
}: ListingsOptions): Listings {
  const asking = shared<Page>();

  async function remembered(key: string, ask: () => Promise<Page>): Promise<ServedPage> {
    const before = memory.get(key);
    if (before !== undefined && ageMs(before.askedAt, now()) <= policy.freshMs)
      return { page: before.page, hit: 'memory' };
    try {
      const page = await asking(key, ask);
      memory.set(key, { page, askedAt: now() });
      return { page, hit: 'upstream' };
    } catch (error) {
      // An older "yes" must not stand in for the upstream's own "no".
      const age = before === undefined ? Number.POSITIVE_INFINITY : ageMs(before.askedAt, now());
      if (before === undefined || age > policy.staleMs || isUnknown(error)) throw error;
      return stale(before.page, Math.round(age / 1000));
    }
  }

  function stale(page: Page, ageSeconds: number): ServedPage {
    const warning = `299 - "${upstream.name} could not be asked; this list was last confirmed ${ageSeconds} s ago"`;
    return { page: { ...page, warnings: [...page.warnings, warning] }, hit: 'stale', ageSeconds };
  }

  async function askTags(repository: Repository, query: string): Promise<Page> {
    const page = await upstream.tags(repository, query);
    if (page !== undefined) return page;
    throw new RegistryError('NAME_UNKNOWN', 'the upstream has no such repository', {
      detail: { repository },
    });
  }

  async function askReferrers(
    repository: Repository,
    digest: Digest,
    query: string,
    type?: string,
  ): Promise<Page> {
    const page = await upstream.referrers(repository, digest, query);
    if (page === undefined) return filtered(await fallback(repository, digest), type);
    const scope = { upstream: upstream.name, repository };
    await membership.add(scope, listedIn(page), referrersTag(digest));
    return page;
  }

  /** The index under the referrers tag, kept by clients of registries that lack the API. */
  async function fallback(repository: Repository, digest: Digest): Promise<unknown[]> {
    try {
      const { bytes } = await manifests.resolve(repository, { tag: referrersTag(digest) });
      const { manifests: entries } = JSON.parse(Buffer.from(bytes).toString()) as { manifests?: unknown };
      return Array.isArray(entries) ? entries : [];
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN') return [];
      throw error;
    }
  }

  const keyOf = (repository: Repository, what: string): string => `${upstream.name}/${repository} ${what}`;
  return {
    tags: (repository, query) =>
      remembered(keyOf(repository, `tags?${query}`), () => askTags(repository, query)),
    referrers: (repository, digest, query, type) =>
      remembered(keyOf(repository, `${digest}?${query}`), () =>
        askReferrers(repository, digest, query, type),
      ),
  };
}

/** What a page lists; nothing where it is no index, which is the client's to judge. */
function listedIn({ bytes, mediaType }: Page): readonly Descriptor[] {
  return (manifestOrNone(bytes, mediaType)?.children ?? []).slice(0, mostLabelled);
}

function filtered(entries: readonly unknown[], artifactType: string | undefined): Page {
  const isWanted = (entry: unknown): boolean =>
    artifactType === undefined ||
    (typeof entry === 'object' &&
      entry !== null &&
      'artifactType' in entry &&
      entry.artifactType === artifactType);
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: entries.filter(isWanted) };
  return {
    bytes: Buffer.from(JSON.stringify(index)),
    mediaType: mediaTypes.ociIndex,
    warnings: [],
    ...(artifactType === undefined ? {} : { filtersApplied: 'artifactType' }),
  };
}
