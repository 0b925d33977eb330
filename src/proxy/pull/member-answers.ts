import { defined } from '../../base/text/defined.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import { FollowsReplica, NotCached } from '../../fleet/elsewhere.ts';
import { answerOf, type MemberAnswer, type MemberAsk } from '../../fleet/protocol/ask.ts';
import type { Bytes } from '../../oci/content.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';

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

const absent: MemberContent = { answer: { word: 'absent' } };

/** Answers over the registries of this process. Throws what they throw: see `troubleOf`. */
export function createMemberAnswers(
  registries: ReadonlyMap<string, CachedRegistry>,
  now: () => number,
): MemberAnswers {
  const ageMs = (checkedAt: number): number => Math.max(0, now() - checkedAt);

  async function tagged(
    registry: CachedRegistry,
    ask: ManifestAsk & { readonly tag: Tag },
  ): Promise<MemberContent> {
    const { repository, tag } = ask;
    if (ask.isOwn === true) {
      const pointer = await registry.tagAtUpstream(repository, tag);
      if (pointer === undefined) return absent;
      const { digest, mediaType, size, etag, warnings } = pointer;
      const facts = {
        digest,
        mediaType,
        size,
        ageMs: ageMs(pointer.checkedAt),
        ...defined({ etag, warnings }),
      };
      return { answer: { word: 'found', ...facts } };
    }
    const { descriptor, bytes, warnings, checkedAt } = await registry.tagged.resolve(repository, { tag });
    const facts = { ...factsOf(descriptor), warnings, ageMs: checkedAt === undefined ? 0 : ageMs(checkedAt) };
    return { answer: { word: 'found', ...facts }, ...(ask.isHead === true ? {} : { bytes }) };
  }

  return async (ask, options) => {
    const registry = registries.get(ask.upstream);
    // Another configuration, as while a change rolls out: the member asks the upstream itself.
    if (registry === undefined) return { answer: { word: 'uncached' } };
    switch (ask.kind) {
      case 'blob':
        return blobOf(registry, ask, options);
      case 'stat': {
        const { descriptor } = await registry.blobs.stat(ask.repository, ask.digest);
        return { answer: { word: 'found', size: descriptor.size } };
      }
      case 'manifest':
        return ask.tag === undefined ? manifestOf(registry, ask) : tagged(registry, { ...ask, tag: ask.tag });
      case 'tags':
        return tagsOf(registry, ask);
      case 'referrers':
        return referrersOf(registry, ask);
    }
  };
}

type AskOf<Kind extends MemberAsk['kind']> = Extract<MemberAsk, { kind: Kind }>;
type ManifestAsk = AskOf<'manifest'>;

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

async function manifestOf(
  { reading }: CachedRegistry,
  { repository, digest, isHead }: ManifestAsk,
): Promise<MemberContent> {
  if (digest === undefined) return absent;
  const { descriptor, bytes } = await reading.read(repository, digest);
  return { answer: { word: 'found', ...factsOf(descriptor) }, ...(isHead === true ? {} : { bytes }) };
}

async function tagsOf(
  { upstream }: CachedRegistry,
  { repository, query }: AskOf<'tags'>,
): Promise<MemberContent> {
  const page = await upstream.tags(repository, query);
  if (page === undefined) return absent;
  const { nextQuery, warnings, tags } = page;
  return {
    answer: { word: 'found', warnings, ...defined({ nextQuery }) },
    bytes: Buffer.from(JSON.stringify(tags)),
  };
}

async function referrersOf({ upstream }: CachedRegistry, ask: AskOf<'referrers'>): Promise<MemberContent> {
  const page = await upstream.referrers(ask.repository, ask.digest, ask.query);
  if (page === undefined) return absent;
  const { bytes, ...facts } = page;
  return { answer: { word: 'found', ...facts }, bytes };
}

function factsOf({
  digest,
  mediaType,
  size,
}: Awaited<ReturnType<CachedRegistry['reading']['read']>>['descriptor']) {
  return { digest, mediaType, size };
}

const notThere: ReadonlySet<string> = new Set(['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN']);

/**
 * What a failure means to the member that asked: the upstream's word is passed on, and only this
 * process's own trouble makes the other one go on.
 */
export function troubleOf(error: unknown): MemberContent {
  if (error instanceof FollowsReplica)
    return { answer: { word: 'follows', member: error.replica, hasBytes: error.hasBytes } };
  if (error instanceof NotCached) return { answer: { word: 'uncached' } };
  if (!(error instanceof RegistryError)) return { answer: { word: 'busy' } };
  return notThere.has(error.code) ? absent : { answer: answerOf(error) };
}
