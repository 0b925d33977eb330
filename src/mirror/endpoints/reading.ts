import { defined } from '../../base/text/defined.ts';
import { field, fieldsOf, isText, listOf, parseJson, textOf } from '../../base/text/json.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseManifest } from '../../oci/manifest.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import { referrersTag } from '../../oci/referrers-tag.ts';
import type { Cancellable, RegistryReader } from '../../oci/registry-reader.ts';
import type { Referrer } from './endpoints.ts';

/** The page size that is asked for; registries give less where they like. */
const tagsPerPage = 1_000;

/** The same registry, whose HEAD is `absent` only after a GET: some find nothing by HEAD. */
export function confirmedByGet(reader: RegistryReader): RegistryReader {
  return {
    name: reader.name,
    async manifest(repository, reference, options = {}) {
      const answer = await reader.manifest(repository, reference, options);
      if (options.method !== 'HEAD' || answer.kind !== 'absent') return answer;
      const full = await reader.manifest(repository, reference, { ...options, method: 'GET' });
      if (full.kind !== 'found') return full;
      const { bytes: _bytes, ...stated } = full;
      return stated;
    },
    statBlob: (repository, digest, options) => reader.statBlob(repository, digest, options),
    openBlob: (repository, digest, options) => reader.openBlob(repository, digest, options),
    tags: (repository, query, options) => reader.tags(repository, query, options),
    referrers: (repository, digest, query, options) => reader.referrers(repository, digest, query, options),
  };
}

/** Every tag once, page by page. Throws `NAME_UNKNOWN` when there is no such repository. */
export async function* allTags(
  reader: RegistryReader,
  repository: Repository,
  options: Cancellable = {},
): AsyncGenerator<Tag, void, undefined> {
  const seen = new Set<Tag>();
  for await (const page of tagPages(reader, repository, options)) {
    for (const tag of page) {
      if (!seen.has(tag)) yield tag;
      seen.add(tag);
    }
  }
}

interface TagListing extends Cancellable {
  /** The tag after which the registry may begin. Default: with the first. */
  readonly after?: string;
}

/** The tags of each page, as the registry orders them. Throws as `allTags`. */
export async function* tagPages(
  reader: RegistryReader,
  repository: Repository,
  { after, ...options }: TagListing = {},
): AsyncGenerator<readonly Tag[], void, undefined> {
  const ask = (query: string) => reader.tags(repository, query, options);
  const first = `n=${tagsPerPage}${after === undefined ? '' : `&last=${after}`}`;
  for await (const page of pages(ask, first)) {
    if (page === undefined) {
      throw new RegistryError('NAME_UNKNOWN', 'no such repository', { detail: { repository } });
    }
    yield page.tags;
  }
}

/** By the API, else by the fallback tag (distribution-spec, "Referrers Tag Schema"). */
export async function allReferrers(
  reader: RegistryReader,
  repository: Repository,
  digest: Digest,
  options: Cancellable = {},
): Promise<readonly Referrer[]> {
  const found: Referrer[] = [];
  const ask = (query: string) => reader.referrers(repository, digest, query, options);
  for await (const page of pages(ask, '')) {
    if (page === undefined) return taggedReferrers(reader, repository, digest, options);
    found.push(...referrersIn(page.bytes, page.mediaType));
  }
  return found;
}

async function taggedReferrers(
  reader: RegistryReader,
  repository: Repository,
  digest: Digest,
  options: Cancellable,
): Promise<readonly Referrer[]> {
  const answer = await reader.manifest(repository, { tag: referrersTag(digest) }, options);
  if (answer.kind !== 'found' || answer.bytes === undefined) return [];
  return referrersIn(answer.bytes, answer.descriptor.mediaType);
}

/**
 * A listing, page by page; undefined for the first one when there is none. A registry that repeats
 * a page, or that ends in the middle, is refused: a caller would take the rest for deleted.
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

/** With what the list repeats of each manifest. */
function referrersIn(bytes: Uint8Array, mediaType: string): readonly Referrer[] {
  const entries = listOf(field(parseJson(bytes), 'manifests')).map(fieldsOf);
  const byDigest = new Map(entries.map((entry) => [entry['digest'], entry]));
  return parseManifest(bytes, mediaType).children.map((child) => {
    const { artifactType, annotations } = byDigest.get(child.digest) ?? {};
    const texts = Object.entries(fieldsOf(annotations)).flatMap(([key, value]) =>
      isText(value) ? [[key, value] as const] : [],
    );
    return {
      ...child,
      ...defined({ artifactType: textOf(artifactType) }),
      ...(texts.length === 0 ? {} : { annotations: Object.fromEntries(texts) }),
    };
  });
}

function invalid(message: string): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', message);
}
