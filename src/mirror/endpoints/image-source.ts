import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseManifest } from '../../oci/manifest.ts';
import type { Reference, Repository, Tag } from '../../oci/reference.ts';
import { referrersTag } from '../../oci/referrers-tag.ts';
import type { Cancellable, ManifestAnswer, ManifestOptions, Upstream } from '../../upstream/upstream.ts';
import type { ImageSource } from './endpoints.ts';

/** The page size that is asked for; registries give less where they like. */
const tagsPerPage = 1_000;

/** A registry as a source of images. Closing the upstream stays with who made it. */
export function imageSource(upstream: Upstream): ImageSource {
  return {
    name: upstream.name,
    manifest: (repository, reference, options) => manifestOf(upstream, repository, reference, options),
    openBlob: (repository, digest, options) => upstream.openBlob(repository, digest, options),
    tags: (repository, options) => allTags(upstream, repository, options),
    referrers: (repository, digest, options) => allReferrers(upstream, repository, digest, options),
  };
}

/** Some registries find nothing by HEAD: only a GET says that an image is not there. */
async function manifestOf(
  upstream: Upstream,
  repository: Repository,
  reference: Reference,
  options: ManifestOptions = {},
): Promise<ManifestAnswer> {
  const answer = await upstream.manifest(repository, reference, options);
  if (options.method !== 'HEAD' || answer.kind !== 'absent') return answer;
  const full = await upstream.manifest(repository, reference, { ...options, method: 'GET' });
  if (full.kind !== 'found') return full;
  const { bytes: _bytes, ...stated } = full;
  return stated;
}

async function* allTags(
  upstream: Upstream,
  repository: Repository,
  options: Cancellable = {},
): AsyncGenerator<Tag, void, undefined> {
  const ask = (query: string) => upstream.tags(repository, query, options);
  const seen = new Set<Tag>();
  for await (const page of pages(ask, `n=${tagsPerPage}`)) {
    if (page === undefined) {
      throw new RegistryError('NAME_UNKNOWN', 'no such repository', { detail: { repository } });
    }
    for (const tag of page.tags) {
      if (!seen.has(tag)) yield tag;
      seen.add(tag);
    }
  }
}

/** By the API, else by the tag that stands in for it (distribution-spec, "Referrers Tag Schema"). */
async function allReferrers(
  upstream: Upstream,
  repository: Repository,
  digest: Digest,
  options: Cancellable = {},
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  const ask = (query: string) => upstream.referrers(repository, digest, query, options);
  for await (const page of pages(ask, '')) {
    if (page === undefined) return taggedReferrers(upstream, repository, digest, options);
    found.push(...childrenIn(page.bytes, page.mediaType));
  }
  return found;
}

async function taggedReferrers(
  upstream: Upstream,
  repository: Repository,
  digest: Digest,
  options: Cancellable,
): Promise<readonly Descriptor[]> {
  const answer = await upstream.manifest(repository, { tag: referrersTag(digest) }, options);
  if (answer.kind !== 'found' || answer.bytes === undefined) return [];
  return childrenIn(answer.bytes, answer.descriptor.mediaType);
}

/**
 * A listing, page by page; undefined for the first one when there is none. A registry whose pages lead in a circle, or that ends in
 * the middle, is refused: whoever counts on the whole would take the rest for gone.
 */
async function* pages<Page extends { readonly nextQuery?: string }>(
  ask: (query: string) => Promise<Page | undefined>,
  firstQuery: string,
): AsyncGenerator<Page | undefined, void, undefined> {
  const asked = new Set<string>();
  for (let query: string | undefined = firstQuery; query !== undefined; ) {
    asked.add(query);
    const page: Page | undefined = await ask(query);
    if (page === undefined && asked.size > 1)
      throw invalid('the upstream answered 404 in the middle of a listing');
    yield page;
    query = page?.nextQuery;
    if (query !== undefined && asked.has(query)) throw invalid('the upstream repeats a page of its listing');
  }
}

function childrenIn(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  return parseManifest(bytes, mediaType).children;
}

function invalid(message: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', message);
}
