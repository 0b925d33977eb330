import { listOf, parseJson } from '../base/text/json.ts';
import type { Descriptor } from '../oci/content.ts';
import { manifestOrNone } from '../oci/manifest.ts';
import type { Reference, Repository } from '../oci/reference.ts';
import { isTag } from '../oci/reference.ts';
import type {
  Cancellable,
  ManifestAnswer,
  ManifestOptions,
  ReferrersPage,
  TagPage,
} from '../oci/registry-reader.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { OwnedBlobs, type OwnedBlobsOptions } from './owned-blob.ts';
import { type MemberAnswer, type MemberAsk, refusalOf } from './protocol/ask.ts';
import { MemberFailed } from './protocol/member-client.ts';

type FoundAnswer = Extract<MemberAnswer, { word: 'found' }>;

/** What the owner says, or that this process has to ask the upstream itself. */
type Said = 'absent' | 'ask-upstream' | { readonly found: FoundAnswer; readonly bytes: Uint8Array };

/**
 * An upstream that each member asks for its own share of the content only: what another member owns
 * is asked for there. Whatever goes wrong between members, the upstream is asked here instead; what
 * the upstream said to the owner is passed on, and asked by no other member.
 */
export function byOwner(options: OwnedBlobsOptions): Upstream {
  const { upstream, members, client, events } = options;
  const blobs = new OwnedBlobs(options);
  const { name } = upstream;

  async function said(key: string, ask: MemberAsk, signal?: AbortSignal): Promise<Said> {
    const [owner, second] = members.ranked(key);
    if (owner === undefined || owner === members.self) return 'ask-upstream';
    try {
      const { answer, bytes } = await client.askWhole(owner, ask, signal);
      events?.memberAsked?.({ kind: ask.kind, word: answer.word });
      if (answer.word === 'found') return { found: answer, bytes };
      if (answer.word === 'absent') return 'absent';
      if (answer.word !== 'refused') return 'ask-upstream';
      if (answer.code === 'DENIED' && second === members.self) return 'ask-upstream';
      throw refusalOf(answer, owner);
    } catch (error) {
      if (!(error instanceof MemberFailed)) throw error;
      events?.memberFailed?.({ member: owner, error });
      members.failed(owner);
      return 'ask-upstream';
    }
  }

  async function manifest(
    repository: Repository,
    reference: Reference,
    asked: ManifestOptions = {},
  ): Promise<ManifestAnswer> {
    const { digest, tag } = reference;
    const key = `${name}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`;
    const isHead = asked.method === 'HEAD';
    const named = digest === undefined ? { tag } : { digest };
    const ask = {
      kind: 'manifest',
      upstream: name,
      repository,
      ...named,
      isHead,
      isOwn: asked.isOwn === true,
    } as const;
    const answer = await said(key, ask, asked.signal);
    if (answer === 'absent') return { kind: 'absent' };
    if (answer === 'ask-upstream') return upstream.manifest(repository, reference, asked);
    return (
      foundManifest(answer.found, isHead ? undefined : answer.bytes) ??
      upstream.manifest(repository, reference, asked)
    );
  }

  async function statBlob(
    repository: Repository,
    digest: Descriptor['digest'],
    asked: Cancellable = {},
  ): Promise<Descriptor | undefined> {
    const ask = { kind: 'stat', upstream: name, repository, digest } as const;
    const answer = await said(`${name}/${repository}@${digest}`, ask, asked.signal);
    if (answer === 'absent') return undefined;
    if (answer === 'ask-upstream' || answer.found.size === undefined)
      return upstream.statBlob(repository, digest, asked);
    return { digest, size: answer.found.size };
  }

  async function tags(
    repository: Repository,
    query: string,
    asked: Cancellable = {},
  ): Promise<TagPage | undefined> {
    const ask = { kind: 'tags', upstream: name, repository, query } as const;
    const answer = await said(`${name}/${repository}`, ask, asked.signal);
    if (answer === 'absent') return undefined;
    if (answer === 'ask-upstream') return upstream.tags(repository, query, asked);
    return { ...pageOf(answer.found), tags: listOf(parseJson(answer.bytes)).filter(isTag) };
  }

  async function referrers(
    repository: Repository,
    digest: Descriptor['digest'],
    query: string,
    asked: Cancellable = {},
  ): Promise<ReferrersPage | undefined> {
    const ask = { kind: 'referrers', upstream: name, repository, digest, query } as const;
    const answer = await said(`${name}/${repository}`, ask, asked.signal);
    if (answer === 'absent') return undefined;
    if (answer === 'ask-upstream') return upstream.referrers(repository, digest, query, asked);
    const { mediaType = '', filtersApplied } = answer.found;
    const page = { ...pageOf(answer.found), bytes: answer.bytes, mediaType };
    return filtersApplied === undefined ? page : { ...page, filtersApplied };
  }

  return {
    name,
    get hasRanges() {
      return upstream.hasRanges;
    },
    manifest,
    statBlob,
    tags,
    referrers,
    openBlob: (repository, digest, asked = {}) => {
      const { start, end } = asked;
      const range = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
      const follows = asked.sourced !== undefined;
      return blobs.open({ kind: 'blob', upstream: name, repository, digest, ...range, follows }, asked);
    },
    isReachable: (asked) => upstream.isReachable(asked),
    forwardBlob: (repository, digest, asked) => upstream.forwardBlob(repository, digest, asked),
    close: () => upstream.close(),
  };
}

/** Undefined for an answer that names no manifest. */
function foundManifest(found: FoundAnswer, bytes: Uint8Array | undefined): ManifestAnswer | undefined {
  const { digest, mediaType, size, etag, ageMs, warnings = [] } = found;
  if (digest === undefined || mediaType === undefined || size === undefined) return undefined;
  const manifest = bytes && manifestOrNone(bytes, mediaType);
  return {
    kind: 'found',
    descriptor: { digest, mediaType, size },
    warnings,
    ...(bytes === undefined ? {} : { bytes }),
    ...(manifest === undefined ? {} : { manifest }),
    ...(etag === undefined ? {} : { etag }),
    ...(ageMs === undefined ? {} : { ageMs }),
  };
}

function pageOf({ nextQuery, warnings = [] }: FoundAnswer): Pick<TagPage, 'nextQuery' | 'warnings'> {
  return { warnings, ...(nextQuery === undefined ? {} : { nextQuery }) };
}
