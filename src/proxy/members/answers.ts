import { defined } from '../../base/text/defined.ts';
import type { ServedPage } from '../../cache/listings/asked-pages.ts';
import type { ServedManifest } from '../../cache/manifests/tag-resolver.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import { FollowsReplica, NotCached, SeeksReplica } from '../../fleet/elsewhere.ts';
import { answerOf, type MemberAnswer } from '../../fleet/protocol/answer.ts';
import type { MemberAsk } from '../../fleet/protocol/ask.ts';
import type { Bytes } from '../../oci/content.ts';
import { isNotFound, RegistryError } from '../../oci/errors.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import { artifactTypeIn } from '../../oci/request.ts';

/** An answer, and the bytes that follow it. */
export interface MemberContent {
  readonly answer: MemberAnswer;
  /** In memory. */
  readonly bytes?: Uint8Array;
  /** A blob, of which `length` bytes come. */
  readonly body?: Bytes;
  readonly length?: number;
}

interface AnswerOptions {
  readonly signal: AbortSignal;
  /** Whether new downloads are refused, since this process is leaving. */
  readonly onlyIfCached: boolean;
}

type MemberAnswers = (ask: MemberAsk, options: AnswerOptions) => Promise<MemberContent>;

type AskOf<Kind extends MemberAsk['kind']> = Extract<MemberAsk, { kind: Kind }>;
type ManifestAsk = AskOf<'manifest'>;

const absent: MemberContent = { answer: { word: 'absent' } };
const uncached: MemberContent = { answer: { word: 'uncached' } };

/** Answers over the registries of this process. Throws what they throw: see `troubleOf`. */
export function createMemberAnswers(
  registries: ReadonlyMap<string, CachedRegistry>,
  now: () => number,
): MemberAnswers {
  const ageMs = (since: number): number => Math.max(0, now() - since);

  async function tagged(registry: CachedRegistry, ask: ManifestAsk, tag: Tag): Promise<MemberContent> {
    const { repository } = ask;
    if (ask.isOwn === true) return ownTag(registry, repository, tag);
    const { tagged: tags } = registry;
    const isKept = ask.onlyIfCached === true;
    try {
      const known = await (isKept ? tags.kept(repository, tag) : tags.resolve(repository, { tag }));
      return known === undefined ? uncached : taggedContent(ask, known);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return { answer: { word: 'absent', ...tags.absence(repository, tag) } };
    }
  }

  function taggedContent(ask: ManifestAsk, known: ServedManifest): MemberContent {
    const { descriptor, bytes, warnings, checkedAt } = known;
    const age = checkedAt === undefined ? 0 : ageMs(checkedAt);
    return manifestContent(ask, { ...factsOf(descriptor), warnings, ageMs: age }, bytes);
  }

  async function ownTag(registry: CachedRegistry, repository: Repository, tag: Tag): Promise<MemberContent> {
    const pointer = await registry.tagAtUpstream(repository, tag);
    if (pointer === undefined) return absent;
    const { digest, mediaType, size, etag, warnings, checkedAt } = pointer;
    const facts = { digest, mediaType, size, ageMs: ageMs(checkedAt), ...defined({ etag, warnings }) };
    return { answer: { word: 'found', ...facts } };
  }

  function listed<Page extends object>(
    { page, askedAt }: ServedPage<Page>,
    bytesOf: (page: Page) => Uint8Array,
  ): MemberContent {
    const { bytes: _bytes, json: _json, ...facts }: Page & { bytes?: unknown; json?: unknown } = page;
    return { answer: { word: 'found', ...facts, ageMs: ageMs(askedAt) }, bytes: bytesOf(page) };
  }

  return async (ask, options) => {
    const registry = registries.get(ask.upstream);
    // Another configuration, as while a change rolls out: the member asks the upstream itself.
    if (registry === undefined) return uncached;
    const { repository } = ask;
    switch (ask.kind) {
      case 'blob':
        return blobOf(registry, ask, options);
      case 'stat':
        return statOf(registry, ask);
      case 'manifest':
        return ask.tag === undefined ? manifestOf(registry, ask) : tagged(registry, ask, ask.tag);
      case 'tags':
        return listed(await registry.listings.tags(repository, ask.query), ({ json }) => json);
      case 'referrers': {
        const type = artifactTypeIn(ask.query);
        const page = await registry.listings.referrers(repository, ask.digest, ask.query, type);
        return listed(page, ({ bytes }) => bytes);
      }
    }
  };
}

async function blobOf(
  { blobs }: CachedRegistry,
  ask: AskOf<'blob'>,
  options: AnswerOptions,
): Promise<MemberContent> {
  const { repository, digest, start = 0, end, follows = false } = ask;
  const onlyIfCached = ask.onlyIfCached === true || options.onlyIfCached;
  const opened = await blobs.open(repository, digest, { onlyIfCached });
  const { size } = opened.descriptor;
  const last = Math.min(end ?? size - 1, size - 1);
  const answer = { word: 'found', digest, size } as const;
  if (start > last) return { answer };
  const body = opened.read({ start, end: last }, { signal: options.signal, follows });
  return { answer, length: last - start + 1, body };
}

/** Of what is only to be held here, the bytes have to be here too. */
async function statOf(registry: CachedRegistry, ask: AskOf<'stat'>): Promise<MemberContent> {
  const { repository, digest, onlyIfCached = false } = ask;
  if (onlyIfCached && !(await registry.isStored(repository, digest))) return uncached;
  const { descriptor } = await registry.blobs.stat(repository, digest);
  return { answer: { word: 'found', size: descriptor.size } };
}

async function manifestOf({ reading }: CachedRegistry, ask: ManifestAsk): Promise<MemberContent> {
  const { repository, digest, onlyIfCached = false } = ask;
  if (digest === undefined) return absent;
  try {
    const held = await (onlyIfCached ? reading.stored(repository, digest) : reading.read(repository, digest));
    return held === undefined ? uncached : manifestContent(ask, factsOf(held.descriptor), held.bytes);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { answer: { word: 'absent', ...reading.absence(repository, digest) } };
  }
}

type ManifestFacts = Omit<Extract<MemberAnswer, { word: 'found' }>, 'word'>;

function manifestContent({ isHead }: ManifestAsk, facts: ManifestFacts, bytes: Uint8Array): MemberContent {
  return { answer: { word: 'found', ...facts }, ...(isHead === true ? {} : { bytes }) };
}

function factsOf({ digest, mediaType, size }: ServedManifest['descriptor']): ManifestFacts {
  return { digest, mediaType, size };
}

function followsAnswer({ replica, repository, hasBytes }: FollowsReplica): MemberAnswer {
  return { word: 'follows', member: replica, hasBytes, repository };
}

const notThere: ReadonlySet<string> = new Set(['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);

/**
 * What a failure means to the member that asked: the upstream's word is passed on, and only this
 * process's own trouble makes the other one go on.
 */
export function troubleOf(error: unknown): MemberContent {
  if (error instanceof FollowsReplica) return { answer: followsAnswer(error) };
  if (error instanceof SeeksReplica) return { answer: { word: 'seeking', repository: error.repository } };
  if (error instanceof NotCached) return uncached;
  if (!(error instanceof RegistryError)) return { answer: { word: 'busy' } };
  return notThere.has(error.code) ? absent : { answer: answerOf(error) };
}
