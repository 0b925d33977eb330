import type { MaybePromise } from '../base/flow/maybe-promise.ts';
import { mayPass } from '../base/time/retry.ts';
import type { Digest } from '../oci/digest.ts';
import type { RegistryError } from '../oci/errors.ts';
import { manifestOrNone } from '../oci/manifest.ts';
import type { Repository } from '../oci/reference.ts';
import {
  type BlobOptions,
  listedPage,
  type ManifestAnswer,
  type ReferrersPage,
  type TagPage,
} from '../oci/registry-reader.ts';
import { isManifestNamedBy } from '../oci/schema1.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { AskedUpstream } from './asked-once.ts';
import type { OwnedBlobAsk } from './blob-questions.ts';
import { OwnedBlobs, type OwnedBlobsOptions } from './owned-blob.ts';
import { mayBeOwn, mostRefusals, refusalOf } from './protocol/answer.ts';
import type { MemberAsk } from './protocol/ask.ts';
import { MemberFailed } from './protocol/proven-get.ts';
import { type FoundAnswer, MemberQuestions, type MemberSaid } from './questions.ts';

interface ByOwnerOptions extends OwnedBlobsOptions {
  /** Whether all members have one store: then what one has stored, all have. */
  readonly hasOneStore: boolean;
}

/** How an answer between members is made one of the upstream. */
interface OwnedQuestion<Answer> {
  /** Whose owner answers. */
  readonly key: string;
  readonly ask: MemberAsk;
  readonly signal: AbortSignal | undefined;
  /** Asks the upstream from here. */
  readonly here: () => Promise<Answer>;
  readonly absent: (said: Extract<MemberSaid, { word: 'absent' }>) => Answer;
  /** Undefined for an answer that says too little. */
  readonly found: (answer: FoundAnswer, bytes: Uint8Array) => MaybePromise<Answer | undefined>;
}

/**
 * An upstream that each member asks for its own share of the content only: what another member owns
 * is asked for there. Whatever goes wrong between members, the upstream is asked here instead; what
 * the upstream said to the owner is passed on, and asked by no other member. Where the upstream
 * cannot be asked, and each member has a store of its own, the others are asked for what they have.
 */
export function byOwner(options: ByOwnerOptions): Upstream {
  const { upstream, members, hasOneStore } = options;
  const blobs = new OwnedBlobs(options);
  const questions = new MemberQuestions(options);
  const { name } = upstream;

  async function ownersAnswer<Answer>(question: OwnedQuestion<Answer>): Promise<Answer> {
    const { key, ask, signal, here, absent, found } = question;
    let refusal: RegistryError | undefined;
    for (const member of members.ranked(key).slice(0, mostRefusals)) {
      if (member === members.self) return here();
      const said = await questions.said(member, ask, signal);
      if (said.word === 'absent') return absent(said);
      if (said.word === 'none') return here();
      if (said.word === 'found') return (await found(said.answer, said.bytes)) ?? unusable(member, here);
      refusal ??= refusalOf(said, member);
      if (!mayBeOwn(said)) break;
    }
    if (refusal !== undefined) throw refusal;
    return here();
  }

  function unusable<Answer>(member: string, here: () => Promise<Answer>): Promise<Answer> {
    const error = new MemberFailed(`${member} answered something other than was asked for`, 'strange');
    options.events?.memberFailed?.({ member, error });
    return here();
  }

  /** The owner's answer, or else what any member holds. */
  async function heldAnswer<Answer>(question: OwnedQuestion<Answer>): Promise<Answer> {
    try {
      return await ownersAnswer(question);
    } catch (error) {
      if (hasOneStore || !mayPass(error)) throw error;
      const held = await questions.held(question.key, question.ask, question.signal);
      const answer = held && (await question.found(held.answer, held.bytes));
      if (answer === undefined) throw error;
      return answer;
    }
  }

  return {
    name,
    get hasRanges() {
      return upstream.hasRanges;
    },
    manifest(repository, reference, asked = {}) {
      const { digest, tag } = reference;
      const isHead = asked.method === 'HEAD';
      const named = digest === undefined ? { tag } : { digest };
      const facts = { upstream: name, repository, isHead, isOwn: asked.isOwn === true };
      return heldAnswer<ManifestAnswer>({
        key: `${name}/${repository}${digest === undefined ? `:${tag}` : `@${digest}`}`,
        ask: { kind: 'manifest', ...facts, ...named },
        signal: asked.signal,
        here: () => upstream.manifest(repository, reference, asked),
        absent: ({ reason, ageMs = 0 }) => ({
          kind: 'absent',
          ageMs,
          ...(reason === undefined ? {} : { reason }),
        }),
        found: (answer, bytes) => foundManifest(answer, isHead ? undefined : bytes, digest),
      });
    },
    statBlob: (repository, digest, asked = {}) =>
      heldAnswer({
        key: keyOf(repository, digest),
        ask: { kind: 'stat', upstream: name, repository, digest },
        signal: asked.signal,
        here: () => upstream.statBlob(repository, digest, asked),
        absent: () => undefined,
        found: ({ size }) => (size === undefined ? undefined : { digest, size }),
      }),
    tags: (repository, query, asked = {}) =>
      ownersAnswer<TagPage | undefined>({
        key: `${name}/${repository}`,
        ask: { kind: 'tags', upstream: name, repository, query },
        signal: asked.signal,
        here: () => upstream.tags(repository, query, asked),
        absent: () => undefined,
        found: (answer, bytes) => listedPage(bytes, pageOf(answer)),
      }),
    referrers: (repository, digest, query, asked = {}) =>
      ownersAnswer<ReferrersPage | undefined>({
        key: `${name}/${repository}`,
        ask: { kind: 'referrers', upstream: name, repository, digest, query },
        signal: asked.signal,
        here: () => upstream.referrers(repository, digest, query, asked),
        absent: () => undefined,
        found: ({ mediaType = '', filtersApplied, ...answer }, bytes) => ({
          ...{ ...pageOf(answer), bytes, mediaType },
          ...(filtersApplied === undefined ? {} : { filtersApplied }),
        }),
      }),
    openBlob: (repository, digest, asked = {}) => blobs.open(blobAsk(name, repository, digest, asked), asked),
    isHeld: async (repository, digest, asked = {}) => {
      if (hasOneStore) return false;
      const ask = { kind: 'stat', upstream: name, repository, digest } as const;
      return (await questions.held(keyOf(repository, digest), ask, asked.signal)) !== undefined;
    },
    isReachable: (asked) => upstream.isReachable(asked),
    forwardBlob: (repository, digest, asked) => upstream.forwardBlob(repository, digest, asked),
    close: () => upstream.close(),
  };

  function keyOf(repository: Repository, digest: Digest): string {
    return `${name}/${repository}@${digest}`;
  }
}

/**
 * The upstream as the owner of content asks it for other members. Where members came or went,
 * another one may download a blob still, as its owner until then: the others are asked before it.
 */
export function asOwner(
  upstream: AskedUpstream,
  options: Omit<OwnedBlobsOptions, 'upstream'>,
): AskedUpstream {
  const blobs = new OwnedBlobs({ ...options, upstream });
  return {
    ...upstream,
    get hasRanges() {
      return upstream.hasRanges;
    },
    openBlob: (repository, digest, asked = {}) =>
      blobs.openOwn(blobAsk(upstream.name, repository, digest, asked), asked),
  };
}

function blobAsk(
  upstream: string,
  repository: Repository,
  digest: Digest,
  { start, end, sourced }: BlobOptions,
): OwnedBlobAsk {
  const range = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
  return { kind: 'blob', upstream, repository, digest, ...range, follows: sourced !== undefined };
}

/** Undefined for an answer that names no manifest, or another one than its bytes or the asker. */
function foundManifest(
  found: FoundAnswer,
  bytes: Uint8Array | undefined,
  asked: Digest | undefined,
): ManifestAnswer | undefined {
  const { digest, mediaType, size, etag, ageMs = 0, warnings = [] } = found;
  if (digest === undefined || mediaType === undefined || size === undefined) return undefined;
  if (asked !== undefined && digest !== asked) return undefined;
  if (bytes !== undefined && !isManifestNamedBy(bytes, mediaType, digest)) return undefined;
  const manifest = bytes && manifestOrNone(bytes, mediaType);
  return {
    kind: 'found',
    descriptor: { digest, mediaType, size },
    warnings,
    ageMs,
    ...(bytes === undefined ? {} : { bytes }),
    ...(manifest === undefined ? {} : { manifest }),
    ...(etag === undefined ? {} : { etag }),
  };
}

function pageOf({
  nextQuery,
  warnings = [],
  ageMs = 0,
}: FoundAnswer): Pick<TagPage, 'nextQuery' | 'warnings' | 'ageMs'> {
  return { warnings, ageMs, ...(nextQuery === undefined ? {} : { nextQuery }) };
}
