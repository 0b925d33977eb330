import { defined } from '../../base/text/defined.ts';
import type { TagPointer } from '../../cache/records/freshness.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { Config } from '../../config/load.ts';
import { collected } from '../../oci/content.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { manifestOrNone, maxManifestBytes } from '../../oci/manifest.ts';
import { parseRepository, parseTag, type Tag } from '../../oci/reference.ts';
import type { ContentQuery } from '../../proxy/console/data.ts';
import { parseTagKey, type RepositoryScope, repositoryTagsPrefix, tagsPrefix } from '../../store/keys.ts';
import type { ContentRights } from './content-rights.ts';
import { lastUses } from './last-used.ts';

interface ContentParts {
  readonly cache: Pick<CacheContext, 'medium' | 'tags' | 'membership' | 'usage'>;
  readonly config: Pick<Config, 'eviction'>;
  readonly rights: ContentRights;
}

/** Records that one look walks over, and what it shows of them. */
const mostWalked = 20_000;
const mostRepositories = 200;
const mostTags = 500;
const mostChildren = 200;
/** Of one who may not see all, so many repositories and tags of each are asked about. */
const mostJudgedRepositories = 500;
const mostJudged = 100;
const mostOtherTags = 8;

/** What the store holds, as the query names it. Throws `RegistryError` for what is not there. */
export async function contentAnswer(query: ContentQuery, parts: ContentParts): Promise<object> {
  const { upstream, repository, tag, digest, search = '' } = query;
  if (upstream === undefined || repository === undefined) return repositories(search, parts);
  const scope = { upstream, repository: parseRepository(repository) };
  if (digest !== undefined) {
    if (!isDigest(digest)) throw new RegistryError('DIGEST_INVALID', `${digest} is no digest`);
    return manifestOf(scope, { digest }, parts);
  }
  return tag === undefined ? tagsOf(scope, parts) : tagOf(scope, parseTag(tag), parts);
}

/** By name, each with how many tags of it are known; of a reader, only those that it may pull. */
async function repositories(search: string, parts: ContentParts): Promise<object> {
  const found = new Map<string, { readonly scope: RepositoryScope; readonly tags: Tag[] }>();
  let walked = 0;
  for await (const { key } of parts.cache.medium.records.list(tagsPrefix)) {
    walked += 1;
    if (walked > mostWalked) break;
    const parsed = parseTagKey(key);
    if (parsed === undefined) continue;
    const { upstream, repository, tag } = parsed;
    const name = nameOf({ upstream, repository });
    if (!name.includes(search)) continue;
    const known = found.get(name) ?? { scope: { upstream, repository }, tags: [] };
    found.set(name, known);
    known.tags.push(tag);
  }
  const { isAll } = parts.rights;
  const known = [...found.values()].sort((one, other) => inOrder(nameOf(one.scope), nameOf(other.scope)));
  const shown: object[] = [];
  let looked = 0;
  for (const { scope, tags } of known) {
    if (shown.length >= mostRepositories || (!isAll && looked >= mostJudgedRepositories)) break;
    looked += 1;
    const visible = isAll ? tags : await parts.rights.visible(scope, tags.slice(0, mostJudged));
    if (visible.length > 0) shown.push({ ...scope, tags: visible.length });
  }
  return { repositories: shown, isPartial: walked > mostWalked || looked < known.length };
}

function nameOf({ upstream, repository }: RepositoryScope): string {
  return `${upstream}/${repository}`;
}

async function tagsOf(scope: RepositoryScope, { cache, rights }: ContentParts): Promise<object> {
  const times = new Map<Tag, number>();
  for await (const { key, writtenAt } of cache.medium.records.list(
    repositoryTagsPrefix(scope.upstream, scope.repository),
  )) {
    const tag = parseTagKey(key)?.tag;
    if (tag !== undefined) times.set(tag, writtenAt);
    if (times.size >= mostWalked) break;
  }
  const latest = [...times].sort(([, one], [, other]) => other - one).slice(0, mostTags);
  const visible = await rights.visible(
    scope,
    latest.map(([tag]) => tag),
  );
  if (visible.length === 0) throw notThere();
  const shown = new Set(visible);
  return {
    ...scope,
    tags: latest.filter(([tag]) => shown.has(tag)).map(([tag, writtenAt]) => ({ tag, writtenAt })),
    isPartial: times.size > mostTags,
  };
}

async function tagOf(scope: RepositoryScope, tag: Tag, parts: ContentParts): Promise<object> {
  const pointer = (await parts.rights.mayPull(scope, { tag }))
    ? await parts.cache.tags.reread(scope, tag)
    : undefined;
  if (pointer === undefined) throw notThere();
  const { digest, checkedAt, history = [] } = pointer;
  return {
    ...scope,
    tag,
    checkedAt,
    // A pattern of the settings, which may name what is not the reader's to see.
    pin: parts.rights.isAll ? pinOf(scope, tag, parts.config) : undefined,
    history: history.map(({ digest: former, from, until }) => ({ digest: former, from, until })),
    ...(await described(scope, digest, pointer, parts)),
  };
}

async function manifestOf(
  scope: RepositoryScope,
  { digest }: { readonly digest: Digest },
  parts: ContentParts,
): Promise<object> {
  const isShown = await parts.rights.mayPull(scope, { digest });
  const member = isShown ? await parts.cache.membership.find(scope, digest) : undefined;
  if (member === undefined) throw notThere();
  return { ...scope, ...(await described(scope, digest, member, parts)) };
}

/** The manifest and what it refers to: which of it is stored, shared, and when it was used. */
async function described(
  scope: RepositoryScope,
  digest: Digest,
  { mediaType }: Partial<Pick<TagPointer, 'mediaType'>>,
  { cache, rights }: ContentParts,
): Promise<object> {
  const bytes = await storedManifest(digest, cache);
  const manifest = bytes && manifestOrNone(bytes, mediaType);
  const listed =
    manifest === undefined ? [] : [...manifest.children, ...manifest.blobs].slice(0, mostChildren);
  const uses = await lastUses([digest, ...listed.map((each) => each.digest)], {
    records: cache.medium.records,
    usage: cache.usage,
  });
  const tagged = await Promise.all(
    listed.map(async (each) =>
      Promise.resolve(cache.membership.tagsOf(scope, each.digest)).catch((): readonly Tag[] => []),
    ),
  );
  const others = tagged.map((tags) => tags.slice(-mostOtherTags));
  const visible = new Set(await rights.visible(scope, [...new Set(others.flat())]));
  const parts = await Promise.all(
    listed.map(async ({ digest: part, size, mediaType: type, platform }, index) => ({
      digest: part,
      size,
      ...defined({ mediaType: type, platform, usedAt: uses.get(part) }),
      isManifest: index < (manifest?.children.length ?? 0),
      isStored: await isStored(part, cache),
      tags: (others[index] ?? []).filter((tag) => visible.has(tag)),
    })),
  );
  return {
    digest,
    isStored: bytes !== undefined,
    ...defined({
      mediaType: manifest?.mediaType ?? mediaType,
      usedAt: uses.get(digest),
      size: bytes?.byteLength,
    }),
    parts,
  };
}

async function storedManifest(
  digest: Digest,
  { medium }: ContentParts['cache'],
): Promise<Uint8Array | undefined> {
  const content = await medium.blobs.open(digest);
  if (content === undefined) return undefined;
  try {
    return await collected(content.body, maxManifestBytes);
  } finally {
    await content.close();
  }
}

async function isStored(digest: Digest, { medium }: ContentParts['cache']): Promise<boolean> {
  return (await medium.blobs.stat(digest).catch(() => undefined)) !== undefined;
}

/** The pattern that keeps the tag's content from eviction; undefined for none. */
function pinOf({ upstream, repository }: RepositoryScope, tag: Tag, { eviction }: ContentParts['config']) {
  return eviction.pins.find((pin) => pin.test(`${upstream}/${repository}:${tag}`))?.source;
}

function inOrder(one: string, other: string): number {
  return one < other ? -1 : 1;
}

/** The same words whether it is not there, or not this caller's to see. */
function notThere(): RegistryError {
  return new RegistryError(
    'MANIFEST_UNKNOWN',
    'nothing of that name is stored here that this login may pull',
  );
}
