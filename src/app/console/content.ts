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
/** Tags of a repository that are asked about for one who may not see all. */
const mostJudged = 100;

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

/** By name, each with how many tags of it are known; of a reader, only those with one to pull. */
async function repositories(search: string, parts: ContentParts): Promise<object> {
  const found = new Map<string, { readonly scope: RepositoryScope; readonly tags: Tag[] }>();
  let walked = 0;
  for await (const { key } of parts.cache.medium.records.list(tagsPrefix)) {
    walked += 1;
    if (walked > mostWalked) break;
    const parsed = parseTagKey(key);
    if (parsed === undefined) continue;
    const { upstream, repository, tag } = parsed;
    const name = `${upstream}/${repository}`;
    if (!name.includes(search)) continue;
    const known = found.get(name) ?? { scope: { upstream, repository }, tags: [] };
    found.set(name, known);
    known.tags.push(tag);
  }
  const names = [...found.keys()].sort(inOrder);
  const shown: object[] = [];
  for (const name of names) {
    const { scope, tags } = found.get(name) ?? { tags: [] };
    if (scope === undefined) continue;
    if (shown.length >= mostRepositories) break;
    const visible = await parts.rights.visible(
      scope,
      tags.length > mostJudged ? tags.slice(0, mostJudged) : tags,
    );
    if (visible.length > 0)
      shown.push({ ...scope, tags: tags.length > mostJudged ? tags.length : visible.length });
  }
  return { repositories: shown, isPartial: walked > mostWalked || names.length > mostRepositories };
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
    pin: pinOf(scope, tag, parts.config),
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
  { cache }: ContentParts,
): Promise<object> {
  const bytes = await storedManifest(digest, cache);
  const manifest = bytes && manifestOrNone(bytes, mediaType);
  const listed =
    manifest === undefined ? [] : [...manifest.children, ...manifest.blobs].slice(0, mostChildren);
  const uses = await lastUses([digest, ...listed.map((each) => each.digest)], {
    records: cache.medium.records,
    usage: cache.usage,
  });
  const parts = await Promise.all(
    listed.map(async ({ digest: part, size, mediaType: type, platform }, index) => ({
      digest: part,
      size,
      ...defined({ mediaType: type, platform, usedAt: uses.get(part) }),
      isManifest: index < (manifest?.children.length ?? 0),
      isStored: await isStored(part, cache),
      tags: (await Promise.resolve(cache.membership.tagsOf(scope, part)).catch(() => [])).slice(-8),
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
