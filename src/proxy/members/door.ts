// Room `proxy/members`: answers to other replicas of the fleet. In: questions with a proof. Out:
// what this process has or asks the upstream for; a bare 404 for all others. Imports: base, fleet,
// fleet/protocol, oci, proxy/clients, proxy/http; types of cache, cache/listings, cache/manifests,
// cache/registry.

import { lasting, type TraceHeaders } from '../../base/flow/lasting.ts';
import { type Fields, fieldsOf, isText, textOf } from '../../base/text/json.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { AskedUpstream } from '../../fleet/asked-once.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import { type MemberAnswer, statusOfWord } from '../../fleet/protocol/answer.ts';
import {
  forwardPath,
  type MemberAsk,
  newsPath,
  parseAsk,
  pingPath,
  targetOf,
} from '../../fleet/protocol/ask.ts';
import {
  type ForwardedAnswer,
  type ForwardedReply,
  type ForwardedRequest,
  parseForwarded,
} from '../../fleet/protocol/forwarded.ts';
import { type MemberNews, type Pong, parseNews } from '../../fleet/protocol/news.ts';
import { Replays } from '../../fleet/protocol/replays.ts';
import type { Seals } from '../../fleet/protocol/seals.ts';
import type { WorkerRelay } from '../../fleet/relay.ts';
import type { Bytes } from '../../oci/content.ts';
import { digestOf } from '../../oci/digest.ts';
import { createMemberAnswers, type MemberContent, troubleOf } from './answers.ts';

export interface MemberDoorOptions {
  readonly seals: Seals;
  /** The upstreams as this process asks them itself, also for content of others. */
  readonly registries: ReadonlyMap<string, CachedRegistry>;
  /** Workers: those that other workers ask on behalf of replicas. Default: `registries`. */
  readonly registriesForReplicas?: ReadonlyMap<string, CachedRegistry>;
  /** Who else of this process may own the content. Default: it is one process. */
  readonly relay?: Pick<WorkerRelay, 'ask' | 'isAsking'> | undefined;
  /** The same, of which it is known what they are asked for. */
  readonly asked?: readonly Pick<AskedUpstream, 'isAsking'>[];
  /** What this process says of itself. */
  readonly pong: () => Pong;
  /** A member told something. */
  readonly told: (news: MemberNews) => void;
  /** Answers requests to the mirror; undefined where this process does not lead it. */
  readonly forwarded?: ((request: ForwardedRequest) => Promise<ForwardedReply | undefined>) | undefined;
  readonly events?: Partial<FleetEvents>;
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number;
}

/** A request as it stands on the wire. */
interface MemberRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly proof: string | undefined;
  /** Aborts when the member leaves. */
  readonly signal: () => AbortSignal;
  /** Gives a sign of life, before anything is looked up that may take long. */
  readonly alive: () => void;
}

/** An answer as it goes onto the wire. */
export interface DoorAnswer {
  readonly status: number;
  /** The statement with its proof. */
  readonly proof: string;
  /** A body in memory. */
  readonly bytes?: Uint8Array;
  /** A blob, of `length` bytes. */
  readonly body?: Bytes;
  readonly length?: number;
}

/** Undefined for a stranger. Never rejects. */
export type MemberDoor = (request: MemberRequest) => Promise<DoorAnswer | undefined>;

/** Clocks of members may differ by this, and a question is not older; milliseconds. */
const mostAgeMs = 300_000;

/** A longer statement is one that another member's parser of heads would not take. */
const longestProof = 48 * 1024;

interface ProvenAsk {
  readonly nonce: string;
  readonly news: unknown;
  readonly forwarded: unknown;
  readonly trace: TraceHeaders;
}

const busy: MemberContent = { answer: { word: 'busy' } };
const uncached: MemberContent = { answer: { word: 'uncached' } };

/**
 * Answers questions of members only. Asks no other member on a member's behalf, so that no circle
 * can form.
 */
export function createMemberDoor(options: MemberDoorOptions): MemberDoor {
  const { seals, registries, registriesForReplicas = registries, relay } = options;
  const { asked = [], pong, told, forwarded: leading, events, now = Date.now } = options;
  const answers = createMemberAnswers(registries, now);
  const answersForReplicas = createMemberAnswers(registriesForReplicas, now);
  const replays = new Replays(2 * mostAgeMs);

  /** Undefined also where the key cannot be read now. */
  async function proven({ method, path, proof }: MemberRequest): Promise<ProvenAsk | undefined> {
    if (proof === undefined) return undefined;
    const statement = await seals.open('ask', proof).catch(() => undefined);
    const { target, nonce, at, news, forwarded, trace, ...from } = fieldsOf(statement);
    const isRecent = typeof at === 'number' && Math.abs(now() - at) <= mostAgeMs;
    const text = textOf(nonce);
    if (!isRecent || target !== targetOf(method, path) || text === undefined) return undefined;
    const said = { nonce: text, news, forwarded, trace: textsOf(trace) };
    return isPing(path) || isForUs(from) ? said : undefined;
  }

  /** A copy of a question, or one for another process, gets no answer. Pings say nothing secret. */
  function isForUs({ asker, number, to }: Fields): boolean {
    if (to !== pong().instance || !isText(asker) || !Number.isSafeInteger(number)) return false;
    return replays.isFirst(asker, Number(number));
  }

  async function sealed(nonce: string, statement: object): Promise<string> {
    return seals.seal('answer', { nonce, statement });
  }

  async function contentOf(question: MemberAsk, signal: AbortSignal): Promise<MemberContent> {
    const { isLeaving } = pong();
    if (isLeaving && question.kind !== 'blob') return busy;
    try {
      const relayed = await relay?.ask(isLeaving ? { ...question, onlyIfCached: true } : question, signal);
      if (relayed !== undefined) return relayed;
      const own = question.isForReplica === true ? answersForReplicas : answers;
      return await own(question, { signal, onlyIfCached: isLeaving });
    } catch (error) {
      const trouble = troubleOf(error);
      // What ends with this process is no word of the upstream.
      return pong().isLeaving && trouble.answer.word === 'refused' ? busy : trouble;
    }
  }

  async function answered(
    nonce: string,
    kind: MemberAsk['kind'],
    content: MemberContent,
  ): Promise<DoorAnswer> {
    const { answer, bytes, body, length } = content;
    const covered = bytes === undefined ? answer : { ...answer, body: digestOf(bytes) };
    const proof = await sealed(nonce, covered);
    if (proof.length > longestProof && content !== uncached) return answered(nonce, kind, uncached);
    events?.memberAnswered?.({ kind, word: answer.word });
    const { word }: MemberAnswer = answer;
    const status = statusOfWord[word];
    if (body !== undefined) return { status, proof, body, ...(length === undefined ? {} : { length }) };
    return { status, proof, ...(bytes === undefined ? {} : { bytes }) };
  }

  async function isAskingFor(subject: string): Promise<boolean> {
    return asked.some((upstream) => upstream.isAsking(subject)) || (await relay?.isAsking(subject)) === true;
  }

  async function forwardedAnswer({ nonce, forwarded }: ProvenAsk): Promise<DoorAnswer> {
    const request = parseForwarded(forwarded);
    const reply = request && (await leading?.(request));
    const answer: ForwardedAnswer =
      reply === undefined
        ? { word: 'not-leading' }
        : { word: 'answered', ...heads(reply), body: digestOf(reply.bytes) };
    const status = statusOfWord[reply === undefined ? 'uncached' : 'found'];
    return { status, proof: await sealed(nonce, answer), ...(reply && { bytes: reply.bytes }) };
  }

  return async (request) => {
    const { path } = request;
    const ask = await proven(request);
    if (ask === undefined) return undefined;
    const { nonce, news } = ask;
    if (isPing(path)) {
      const about = new URLSearchParams(path.slice(pingPath.length)).get('about');
      const isAsking = about !== null && (await isAskingFor(about));
      return { status: 200, proof: await sealed(nonce, { ...pong(), isAsking }) };
    }
    if (path === newsPath) {
      for (const each of parseNews(news)) told(each);
      return { status: 200, proof: await sealed(nonce, {}) };
    }
    request.alive();
    if (path === forwardPath) return forwardedAnswer(ask);
    const question = parsed(path);
    if (question === undefined) return answered(nonce, 'stat', uncached);
    return lasting(events?.memberAnswering, { ask: question, trace: ask.trace }, async () =>
      answered(nonce, question.kind, await contentOf(question, request.signal())),
    );
  };
}

function isPing(path: string): boolean {
  return path === pingPath || path.startsWith(`${pingPath}?`);
}

function textsOf(value: unknown): TraceHeaders {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).filter((entry): entry is [string, string] => isText(entry[1])),
  );
}

function heads({ status, contentType }: ForwardedReply): Omit<ForwardedReply, 'bytes'> {
  return { status, contentType };
}

/** Undefined for a question of a later version: its asker does without this member. */
function parsed(path: string): MemberAsk | undefined {
  try {
    return parseAsk(path);
  } catch {
    return undefined;
  }
}
