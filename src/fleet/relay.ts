import type { Bytes } from '../oci/content.ts';
import type { Members } from './members/members.ts';
import type { MemberAnswer } from './protocol/answer.ts';
import type { MemberAsk } from './protocol/ask.ts';
import type { MemberClient } from './protocol/member-client.ts';
import { MemberFailed } from './protocol/proven-get.ts';

/** A worker's answer, to be passed on as it is. */
export interface RelayedContent {
  readonly answer: MemberAnswer;
  readonly bytes?: Uint8Array;
  readonly body?: Bytes;
  readonly length?: number;
}

interface RelayOptions {
  /** The workers of this process. */
  readonly members: Members;
  readonly client: MemberClient;
}

/**
 * Replicas know this process by one address, at which any of its workers may answer. The one that
 * does passes the question on to the worker that owns the content, so that a process downloads
 * nothing twice. That worker asks the upstream itself: no circle leads through it.
 */
export class WorkerRelay {
  readonly #options: RelayOptions;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Undefined where this worker owns the content, or the owner gives no answer. */
  async ask(ask: MemberAsk, signal: AbortSignal): Promise<RelayedContent | undefined> {
    const { members } = this.#options;
    const owner = this.#ownerOf(ownerKey(ask));
    if (owner === undefined) return undefined;
    try {
      return await this.#asked(owner, { ...ask, isForReplica: true }, signal);
    } catch (error) {
      if (!(error instanceof MemberFailed)) throw error;
      if (error.how === 'dead') members.failed(owner);
      return undefined;
    }
  }

  /** Whether another worker that owns the subject waits for the upstream. */
  async isAsking(subject: string): Promise<boolean> {
    const owner = this.#ownerOf(subject);
    return owner !== undefined && (await this.#options.client.liveness(owner, subject)) === 'asking';
  }

  /** Undefined for this worker. */
  #ownerOf(key: string): string | undefined {
    const { members } = this.#options;
    const [owner] = members.ranked(key);
    return owner === members.self ? undefined : owner;
  }

  async #asked(owner: string, ask: MemberAsk, signal: AbortSignal): Promise<RelayedContent> {
    const { client } = this.#options;
    if (ask.kind !== 'blob') {
      const { answer, bytes } = await client.askWhole(owner, ask, signal);
      return answer.word === 'found' && bytes.byteLength > 0 ? { answer, bytes } : { answer };
    }
    const { answer, bytes: body, close } = await client.ask(owner, ask, signal);
    const length = answer.word === 'found' ? lengthOf(ask, answer.size) : 0;
    if (length > 0) return { answer, body, length };
    close();
    return { answer };
  }
}

function lengthOf({ start = 0, end }: { readonly start?: number; readonly end?: number }, size = 0): number {
  return Math.max(0, Math.min(end ?? size - 1, size - 1) - start + 1);
}

/** By which members are ranked for the content of a question. */
function ownerKey(ask: MemberAsk): string {
  const place = `${ask.upstream}/${ask.repository}`;
  if (ask.kind === 'tags' || ask.kind === 'referrers') return place;
  if (ask.kind === 'manifest' && ask.tag !== undefined) return `${place}:${ask.tag}`;
  return `${place}@${ask.digest}`;
}
