import { sleep } from '../base/time/wait.ts';
import type { Bytes } from '../oci/content.ts';
import { RegistryError } from '../oci/errors.ts';
import type { BlobOptions, OpenBlob } from '../oci/registry-reader.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { FleetEvents } from './events.ts';
import type { Members } from './members/members.ts';
import { type MemberAsk, refusalOf } from './protocol/ask.ts';
import type { MemberClient, MemberReply } from './protocol/member-client.ts';
import { MemberFailed } from './protocol/member-client.ts';

export type OwnedBlobAsk = Extract<MemberAsk, { kind: 'blob' }>;

export interface OwnedBlobsOptions {
  readonly upstream: Upstream;
  readonly members: Members;
  readonly client: MemberClient;
  readonly events?: Partial<FleetEvents>;
}

/** Where bytes come from at the moment. */
type BlobOrigin =
  | {
      readonly kind: 'member';
      readonly member: string;
      readonly size: number | undefined;
      readonly reply: MemberReply;
    }
  | { readonly kind: 'upstream'; readonly blob: OpenBlob };

/** What a member said to a question, sorted by what the asker does next. */
type MemberOutcome =
  | BlobOrigin
  | 'absent'
  | 'go-on'
  | { readonly kind: 'follows'; readonly member: string; readonly hasBytes: boolean };

/** How often, and how far apart, members that followed a dead owner are asked again. */
const holderTries = 20;
const holderPauseMs = 100;

interface Followers {
  readonly order: readonly string[];
  readonly others: readonly string[];
  readonly hasBytes: boolean;
}

/**
 * Blobs by their owner: the member that ranks first for a blob downloads it, and the others read it
 * from there while it comes. When that one dies, each reader asks the rest of the fleet for what
 * they have, and then the upstream, from the next byte on.
 */
export class OwnedBlobs {
  readonly #options: OwnedBlobsOptions;

  constructor(options: OwnedBlobsOptions) {
    this.#options = options;
  }

  /** As Upstream.openBlob; `sourced` learns of each source, in order. */
  async open(ask: OwnedBlobAsk, options: BlobOptions): Promise<OpenBlob | undefined> {
    const { members } = this.#options;
    const owner = members.ranked(keyOf(ask))[0];
    const source =
      owner === members.self ? await this.#asOwner(ask, options) : await this.#asked(owner, ask, options);
    if (source === undefined) return undefined;
    let current = source;
    const moved = (next: BlobOrigin): void => {
      current = next;
    };
    return {
      size: source.kind === 'member' ? source.size : source.blob.size,
      body: this.#bytes(source, ask, options, moved),
      close: () => closed(current),
    };
  }

  /** A new owner may be the successor of one whose readers hold the bytes: it asks them once. */
  async #asOwner(ask: OwnedBlobAsk, options: BlobOptions): Promise<BlobOrigin | undefined> {
    if (!this.#options.members.isUnsettled) return this.#fromUpstream(ask, options);
    return this.#fromHolder(ask, options, []);
  }

  async #asked(
    owner: string | undefined,
    ask: OwnedBlobAsk,
    options: BlobOptions,
  ): Promise<BlobOrigin | undefined> {
    if (owner === undefined) return this.#fromUpstream(ask, options);
    // Before the question: the owner may ask this member the same one meanwhile.
    options.sourced?.(owner);
    const outcome = await this.#fromMember(owner, ask, options);
    if (outcome === 'absent') return undefined;
    if (outcome === 'go-on') return this.#fromHolder(ask, options, [owner]);
    if (outcome.kind !== 'follows') return outcome;
    return this.#fromFollowed(outcome.member, ask, options, owner);
  }

  /** The member that was asked follows this one. */
  async #fromFollowed(
    followed: string,
    ask: OwnedBlobAsk,
    options: BlobOptions,
    follower: string,
  ): Promise<BlobOrigin | undefined> {
    const { members } = this.#options;
    if (followed === members.self || !members.live.includes(followed))
      return this.#fromUpstream(ask, options);
    const outcome = await this.#fromMember(followed, { ...ask, onlyIfCached: true }, options);
    return isSource(outcome) ? outcome : this.#fromHolder(ask, options, [follower, followed]);
  }

  /** From a member that has it, or downloads it from the upstream itself; else the upstream. */
  async #fromHolder(
    ask: OwnedBlobAsk,
    options: BlobOptions,
    asked: readonly string[],
    hasBytes = false,
  ): Promise<BlobOrigin | undefined> {
    const { members } = this.#options;
    const order = members.ranked(keyOf(ask));
    const others = order.filter((member) => member !== members.self && !asked.includes(member));
    for (let tries = 0; tries < holderTries; tries += 1) {
      const outcomes = await this.#askedAtOnce(others, { ...ask, onlyIfCached: true }, options);
      const [found, ...spare] = outcomes.filter(isSource);
      for (const each of spare) closed(each);
      if (found !== undefined) return found;
      const goesFirst = (outcome: MemberOutcome, index: number): boolean =>
        this.#goesFirst(others[index] ?? '', outcome, { order, others, hasBytes });
      if (!outcomes.some(goesFirst)) break;
      await sleep(holderPauseMs, options.signal);
    }
    return this.#fromUpstream(ask, options);
  }

  async #askedAtOnce(
    others: readonly string[],
    ask: OwnedBlobAsk,
    options: BlobOptions,
  ): Promise<readonly MemberOutcome[]> {
    return Promise.all(
      others.map((member) => this.#fromMember(member, ask, options).catch(() => 'go-on' as const)),
    );
  }

  /**
   * Whether the member followed one that is gone, as this one may have, and is to ask the upstream
   * in place of this one: it may notice the death a little later. Who has bytes goes before who has
   * none; of equals the first in the ranking. All of them decide alike, so that none waits for one
   * that waits for it.
   */
  #goesFirst(member: string, outcome: MemberOutcome, { order, others, hasBytes }: Followers): boolean {
    const { self } = this.#options.members;
    if (typeof outcome === 'string' || outcome.kind !== 'follows') return false;
    if (outcome.member === self || others.includes(outcome.member)) return false;
    if (outcome.hasBytes !== hasBytes) return outcome.hasBytes;
    return order.indexOf(member) < order.indexOf(self);
  }

  async #fromMember(member: string, ask: OwnedBlobAsk, options: BlobOptions): Promise<MemberOutcome> {
    const { members, client, events } = this.#options;
    try {
      const reply = await client.ask(member, ask, options.signal);
      const { answer } = reply;
      events?.memberAsked?.({ kind: 'blob', word: answer.word });
      if (answer.word === 'found') {
        options.sourced?.(member);
        return { kind: 'member', member, size: answer.size, reply };
      }
      reply.close();
      if (answer.word === 'refused') return this.#refused(refusalOf(answer, member), ask, options);
      if (answer.word === 'follows')
        return { kind: 'follows', member: answer.member, hasBytes: answer.hasBytes };
      return answer.word === 'absent' ? 'absent' : 'go-on';
    } catch (error) {
      if (!(error instanceof MemberFailed)) throw error;
      events?.memberFailed?.({ member, error });
      members.failed(member);
      return 'go-on';
    }
  }

  /** A login that is refused may be that member's own trouble: one other tries. */
  async #refused(refusal: RegistryError, ask: OwnedBlobAsk, options: BlobOptions): Promise<MemberOutcome> {
    const { members } = this.#options;
    const isSecond = members.ranked(keyOf(ask))[1] === members.self;
    if (refusal.code !== 'DENIED' || !isSecond || ask.onlyIfCached === true) throw refusal;
    return (await this.#fromUpstream(ask, options)) ?? 'absent';
  }

  async #fromUpstream(ask: OwnedBlobAsk, options: BlobOptions): Promise<BlobOrigin | undefined> {
    const { upstream } = this.#options;
    options.sourced?.(undefined);
    const { start, end } = ask;
    const range = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
    const blob = await upstream.openBlob(ask.repository, ask.digest, { ...options, ...range });
    return blob && { kind: 'upstream', blob };
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
        if (source.kind === 'upstream' || !(error instanceof MemberFailed)) throw error;
        if (last !== undefined && position > last) return;
        source = await this.#successor(
          source.member,
          { ...ask, start: position, ...(last !== undefined && { end: last }) },
          options,
          error,
        );
        moved(source);
      }
    }
  }

  async #successor(
    dead: string,
    rest: OwnedBlobAsk,
    options: BlobOptions,
    error: MemberFailed,
  ): Promise<BlobOrigin> {
    const { members, events } = this.#options;
    events?.memberFailed?.({ member: dead, error });
    events?.tookOver?.({
      upstream: rest.upstream,
      digest: rest.digest,
      member: dead,
      position: rest.start ?? 0,
    });
    members.failed(dead);
    const source = await this.#fromHolder(rest, options, [dead], true);
    if (source !== undefined) return source;
    throw new RegistryError('UNAVAILABLE', 'the upstream no longer has the blob that a replica was sending');
  }
}

/** Content belongs to its upstream and repository: one upstream must not answer for another. */
function keyOf({ upstream, repository, digest }: OwnedBlobAsk): string {
  return `${upstream}/${repository}@${digest}`;
}

function isSource(outcome: MemberOutcome): outcome is BlobOrigin {
  return typeof outcome !== 'string' && outcome.kind !== 'follows';
}

function bytesOf(source: BlobOrigin): Bytes {
  return source.kind === 'member' ? source.reply.bytes : source.blob.body;
}

function closed(source: BlobOrigin): void {
  if (source.kind === 'member') source.reply.close();
  else source.blob.close();
}
