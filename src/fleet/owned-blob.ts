import { createLru } from '../base/state/lru.ts';
import { mayPass } from '../base/time/retry.ts';
import type { Bytes } from '../oci/content.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobOptions, OpenBlob } from '../oci/registry-reader.ts';
import type { Upstream } from '../upstream/upstream.ts';
import {
  BlobQuestions,
  type BlobQuestionsOptions,
  keyOf,
  type MemberBytes,
  type OwnedBlobAsk,
} from './blob-questions.ts';
import { mostRefusals } from './protocol/answer.ts';
import { MemberFailed } from './protocol/proven-get.ts';

export interface OwnedBlobsOptions extends BlobQuestionsOptions {
  readonly upstream: Upstream;
}

const mostDistrusted = 1_000;
const distrustedMs = 60_000;

/** Where bytes come from at the moment. */
type BlobOrigin = MemberBytes | { readonly kind: 'upstream'; readonly blob: OpenBlob };

/**
 * Blobs by their owner: the member that ranks first for a blob downloads it, and the others read it
 * from there while it comes. When that one dies, each reader asks the rest of the fleet for what
 * they have, and then the upstream, from the next byte on.
 */
export class OwnedBlobs {
  readonly #options: OwnedBlobsOptions;
  readonly #questions: BlobQuestions;
  /** Blobs of which a member sent wrong bytes: the upstream alone is asked for them. */
  readonly #distrusted = createLru<string, true>(mostDistrusted, { keepMs: distrustedMs });

  constructor(options: OwnedBlobsOptions) {
    this.#options = options;
    this.#questions = new BlobQuestions(options);
  }

  /** As Upstream.openBlob; `sourced` learns of each source, in order. */
  async open(ask: OwnedBlobAsk, options: BlobOptions): Promise<OpenBlob | undefined> {
    return this.#opened(await this.#origin(ask, options), ask, options);
  }

  /** The same by this process as the owner, for members that take it for that. */
  async openOwn(ask: OwnedBlobAsk, options: BlobOptions): Promise<OpenBlob | undefined> {
    return this.#opened(await this.#here(ask, options), ask, options);
  }

  #opened(source: BlobOrigin | undefined, ask: OwnedBlobAsk, options: BlobOptions): OpenBlob | undefined {
    if (source === undefined) return undefined;
    let current = source;
    const moved = (next: BlobOrigin): void => {
      current = next;
    };
    return {
      size: source.kind === 'member' ? source.size : source.blob.size,
      body: this.#bytes(source, ask, options, moved),
      close: () => closed(current),
      distrust: () => {
        if (current.kind === 'member') this.#distrusted.set(keyOf(ask), true);
        else current.blob.distrust?.();
      },
    };
  }

  /** What any member has, where the upstream cannot be asked. */
  async #origin(ask: OwnedBlobAsk, options: BlobOptions): Promise<BlobOrigin | undefined> {
    try {
      return await this.#asked(ask, options);
    } catch (error) {
      const held = await this.#heldInstead(error, ask, options);
      if (held === undefined) throw error;
      return held;
    }
  }

  /** One other member is asked about a refusal that may be the owner's own trouble. */
  async #asked(ask: OwnedBlobAsk, options: BlobOptions): Promise<BlobOrigin | undefined> {
    const { members } = this.#options;
    if (this.#distrusted.has(keyOf(ask))) return this.#fromUpstream(ask, options);
    let refusal: RegistryError | undefined;
    for (const member of members.ranked(keyOf(ask)).slice(0, mostRefusals)) {
      if (member === members.self)
        return refusal === undefined ? this.#here(ask, options) : this.#fromUpstream(ask, options);
      // Before the question: that member may ask this one the same meanwhile.
      options.sourced?.({ from: 'replica', repository: ask.repository, replica: member });
      const outcome = await this.#questions.said(member, ask, options);
      if (outcome.kind === 'absent') return undefined;
      if (outcome.kind === 'member') return outcome;
      if (outcome.kind === 'follows') return this.#fromFollowed(outcome.member, ask, options, member);
      if (outcome.kind === 'go-on' || outcome.kind === 'seeks')
        return this.#fromHolder(ask, options, [member]);
      refusal ??= outcome.refusal;
      if (!outcome.mayBeOwn) break;
    }
    if (refusal !== undefined) throw refusal;
    return this.#fromUpstream(ask, options);
  }

  /** A new owner may be the successor of one that others read from still: it asks them once. */
  async #here(ask: OwnedBlobAsk, options: BlobOptions): Promise<BlobOrigin | undefined> {
    const mayAsk = this.#options.members.isUnsettled && !this.#distrusted.has(keyOf(ask));
    if (!mayAsk) return this.#fromUpstream(ask, options);
    options.sourced?.({ from: 'unknown', repository: ask.repository });
    return this.#fromHolder(ask, options, []);
  }

  /** The member that was asked follows this one. */
  async #fromFollowed(
    followed: string,
    ask: OwnedBlobAsk,
    options: BlobOptions,
    follower: string,
  ): Promise<BlobOrigin | undefined> {
    const { members } = this.#options;
    if (followed === members.self || ![...members.others, ...members.leaving].includes(followed))
      return this.#fromUpstream(ask, options);
    const outcome = await this.#questions.atHand(followed, ask, options);
    if (outcome.kind !== 'member') return this.#fromHolder(ask, options, [follower, followed]);
    options.sourced?.({ from: 'replica', repository: ask.repository, replica: followed });
    return outcome;
  }

  /** From a member that has it, or downloads it from the upstream itself; else the upstream. */
  async #fromHolder(
    ask: OwnedBlobAsk,
    options: BlobOptions,
    asked: readonly string[],
    hasBytes = false,
  ): Promise<BlobOrigin | undefined> {
    const held = await this.#questions.holder(ask, options, asked, hasBytes);
    if (held === undefined) return this.#fromUpstream(ask, options);
    options.sourced?.({ from: 'replica', repository: ask.repository, replica: held.member });
    return held;
  }

  async #fromUpstream(ask: OwnedBlobAsk, options: BlobOptions): Promise<BlobOrigin | undefined> {
    const { upstream } = this.#options;
    options.sourced?.({ from: 'registry' });
    const { start, end } = ask;
    const range = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
    const blob = await upstream.openBlob(ask.repository, ask.digest, { ...options, ...range });
    return blob && { kind: 'upstream', blob };
  }

  /** Undefined where the failure is an answer, and where no member has the blob. */
  async #heldInstead(
    error: unknown,
    ask: OwnedBlobAsk,
    options: BlobOptions,
  ): Promise<MemberBytes | undefined> {
    options.signal?.throwIfAborted();
    if (!mayPass(error)) return undefined;
    const held = await this.#questions.anyHolder(ask, options);
    if (held !== undefined)
      options.sourced?.({ from: 'replica', repository: ask.repository, replica: held.member });
    return held;
  }

  async *#bytes(
    first: BlobOrigin,
    ask: OwnedBlobAsk,
    options: BlobOptions,
    moved: (source: BlobOrigin) => void,
  ): Bytes {
    let source = first;
    let position = ask.start ?? 0;
    const size = first.kind === 'member' ? first.size : first.blob.size;
    const last = ask.end ?? (size === undefined ? undefined : size - 1);
    for (;;) {
      try {
        for await (const chunk of bytesOf(source)) {
          position += chunk.byteLength;
          yield chunk;
        }
        return;
      } catch (error) {
        options.signal?.throwIfAborted();
        closed(source);
        if (last !== undefined && position > last) return;
        const rest = { ...ask, start: position, ...(last !== undefined && { end: last }) };
        source = await this.#successor(source, rest, options, error);
        moved(source);
      }
    }
  }

  /** What goes on where a source broke off. */
  async #successor(
    broken: BlobOrigin,
    rest: OwnedBlobAsk,
    options: BlobOptions,
    error: unknown,
  ): Promise<BlobOrigin> {
    if (broken.kind === 'member' && error instanceof MemberFailed)
      return this.#takenOver(broken, rest, options, error);
    const held = broken.kind === 'upstream' && (await this.#heldInstead(error, rest, options));
    if (!held) throw error;
    return held;
  }

  async #takenOver(
    { member: dead, process }: MemberBytes,
    rest: OwnedBlobAsk,
    options: BlobOptions,
    error: MemberFailed,
  ): Promise<BlobOrigin> {
    const { members, events } = this.#options;
    const { upstream, digest, start: position = 0 } = rest;
    events?.memberFailed?.({ member: dead, error });
    events?.tookOver?.({ upstream, digest, member: dead, position });
    members.failed(dead, process);
    const source = await this.#fromHolder(rest, options, [dead], true);
    if (source !== undefined) return source;
    throw new RegistryError('UNAVAILABLE', 'the upstream no longer has the blob that a replica was sending');
  }
}

function bytesOf(source: BlobOrigin): Bytes {
  return source.kind === 'member' ? source.reply.bytes : source.blob.body;
}

function closed(source: BlobOrigin): void {
  if (source.kind === 'member') source.reply.close();
  else source.blob.close();
}
