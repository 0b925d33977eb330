import { type LastingEvent, lasting, type TraceHeaders } from '../../base/flow/lasting.ts';
import { createLru } from '../../base/state/lru.ts';
import { anySignal, type Clock, fairTimer, systemClock, withFairTimeout } from '../../base/time/wait.ts';
import { digestOf } from '../../oci/digest.ts';
import type { ResponseBody } from '../../upstream/exchange.ts';
import { discard, wholeBody } from '../../upstream/exchange.ts';
import { type MemberAnswer, parseAnswer } from './answer.ts';
import { forwardPath, longestPath, type MemberAsk, newsPath, pathOf, pingPath } from './ask.ts';
import {
  type ForwardedReply,
  type ForwardedRequest,
  longestForwarded,
  parseForwardedAnswer,
} from './forwarded.ts';
import { type MemberNews, type Pong, parsePong } from './news.ts';
import { createProvenGet, MemberFailed, type ProvenGetOptions } from './proven-get.ts';
import { SignsOfLife } from './signs-of-life.ts';
import { type Liveness, Vigil } from './vigil.ts';

/** A member's answer. Read `bytes` of what was found, or call `close`. */
export interface MemberReply {
  readonly answer: MemberAnswer;
  /** The body. Throws MemberFailed when the member dies, is silent, or cuts it short. */
  readonly bytes: AsyncGenerator<Uint8Array, void, undefined>;
  close(): void;
}

/** Asks other members. Never twice: what to do without an answer is the caller's. */
export interface MemberClient {
  /** Throws MemberFailed, and the signal's reason. */
  ask(member: string, ask: MemberAsk, signal?: AbortSignal): Promise<MemberReply>;
  /** The whole body of an answer in memory. */
  askWhole(member: string, ask: MemberAsk, signal?: AbortSignal): Promise<WholeReply>;
  /** Undefined without an answer within 2 s. */
  ping(member: string): Promise<Pong | undefined>;
  /** Whether it answered within 2 s, whatever it was asked. */
  isAnswering(member: string): boolean;
  /** What the member says of a question about that subject. */
  liveness(member: string, about: string): Promise<Liveness>;
  /** Tells the member; never rejects, and gives up after 2 s. */
  tell(member: string, news: readonly MemberNews[]): Promise<void>;
  /**
   * Passes a request to the mirror on; undefined where the member does not lead it, and nothing was
   * done. Throws MemberFailed: `unasked` for one that is too long, else it may have been done.
   */
  forward(member: string, request: ForwardedRequest): Promise<ForwardedReply | undefined>;
}

interface WholeReply {
  readonly answer: MemberAnswer;
  readonly bytes: Uint8Array;
}

interface MemberClientOptions extends ProvenGetOptions {
  readonly clock?: Clock;
  /** Bytes of bodies came from a member. */
  readonly received?: (bytes: number) => void;
  /** Default: no event. */
  readonly asking?: LastingEvent<{ readonly member: string; readonly ask: MemberAsk }>;
}

const pingMs = 2_000;

/** What operators ask the mirror is at hand, or a few records in the store; milliseconds. */
const forwardMs = 10_000;

/** Manifests and pages are no larger than what an upstream may send. */
const mostWholeBytes = 32 * 1024 * 1024;

/** A client over HTTP/1.1 connections that are used again. */
export function createMemberClient(options: MemberClientOptions): MemberClient {
  const { clock = systemClock, received, asking } = options;
  const proven = createProvenGet(options);
  const signs = new SignsOfLife(clock);
  const isAnswering = (member: string): boolean => signs.agoMs(member) < pingMs;
  /** The process that answers under each name, which a question is for. */
  const instances = createLru<string, string>(1_000);

  async function get(member: string, path: string, asked: Omit<Parameters<typeof proven>[2], 'to'>) {
    const to = instances.get(member) ?? (await ping(member))?.instance;
    if (to === undefined) throw new MemberFailed(`${member} answers no ping`, 'dead');
    try {
      return await proven(member, path, { ...asked, to });
    } catch (error) {
      // Another process may have its place by now: the next question begins with a ping.
      if (!asked.signal.aborted) instances.delete(member);
      throw error;
    }
  }

  async function asked(member: string, path: string): Promise<Pong | undefined> {
    const control = new AbortController();
    const answered = proven(member, path, { signal: control.signal });
    answered.then(({ response }) => discard(response), ignored);
    try {
      const pong = parsePong((await withFairTimeout(answered, pingMs, () => undefined, clock))?.statement);
      if (pong !== undefined) {
        signs.proved(member);
        instances.set(member, pong.instance);
      }
      return pong;
    } catch {
      return undefined;
    } finally {
      control.abort();
    }
  }

  const ping = (member: string): Promise<Pong | undefined> => asked(member, pingPath);

  async function liveness(member: string, about: string): Promise<Liveness> {
    const pong = await asked(member, `${pingPath}?${new URLSearchParams({ about })}`);
    if (pong === undefined) return isAnswering(member) ? 'idle' : 'dead';
    return pong.isAsking === true ? 'asking' : 'idle';
  }

  function ask(member: string, question: MemberAsk, asker?: AbortSignal): Promise<MemberReply> {
    return lasting(asking, { member, ask: question }, (trace) => answerOf(member, question, trace, asker));
  }

  async function answerOf(
    member: string,
    question: MemberAsk,
    trace: TraceHeaders,
    asker?: AbortSignal,
  ): Promise<MemberReply> {
    const path = pathOf(question);
    if (path.length > longestPath) throw new MemberFailed('the question is too long for members', 'unasked');
    const control = new AbortController();
    const came = (): void => signs.came(member);
    const life = {
      liveness: () => liveness(member, subjectOf(question)),
      answeredAgoMs: () => signs.agoMs(member),
    };
    const watch = new Vigil({ ...life, clock }, () =>
      control.abort(new MemberFailed(`${member} gave no sign of life, or no byte`, 'dead')),
    );
    try {
      const signal = anySignal(asker, control.signal);
      const informed = (): void => {
        came();
        watch.sign();
      };
      const { response, statement } = await get(member, path, {
        ...{ signal, informed },
        ...(asking && { trace }),
      });
      signs.proved(member);
      const answer = parseAnswer(statement);
      if (answer?.word !== 'found') {
        watch[Symbol.dispose]();
        discard(response);
        if (answer === undefined)
          throw new MemberFailed(`${member} gave an answer that is unknown here`, 'strange');
        return { answer, bytes: nothing(), close: () => undefined };
      }
      watch.sign();
      const { body } = response;
      const close = (): void => {
        watch[Symbol.dispose]();
        body.destroy();
      };
      return { answer, bytes: watched(body, { watch, member, came, received }), close };
    } catch (error) {
      watch[Symbol.dispose]();
      asker?.throwIfAborted();
      throw failed(member, error);
    }
  }

  return {
    ping,
    isAnswering,
    liveness,
    ask,
    async tell(member, news) {
      const control = new AbortController();
      using _timer = fairTimer(() => control.abort(), pingMs, clock);
      const { signal } = control;
      await get(member, newsPath, { signal, news }).then(({ response }) => discard(response), ignored);
    },
    async forward(member, request) {
      if (JSON.stringify(request).length > longestForwarded)
        throw new MemberFailed('the request is too long to be passed on', 'unasked');
      const control = new AbortController();
      using _timer = fairTimer(() => control.abort(), forwardMs, clock);
      try {
        const { response, statement } = await get(member, forwardPath, {
          signal: control.signal,
          forwarded: request,
        });
        const answer = parseForwardedAnswer(statement);
        const bytes = await wholeBody(response, mostWholeBytes);
        if (answer?.word === 'not-leading') return undefined;
        if (answer === undefined || digestOf(bytes) !== answer.body)
          throw new MemberFailed(`${member} gave an answer that is unknown here`, 'strange');
        const { status, contentType } = answer;
        return { status, contentType, bytes };
      } catch (error) {
        throw failed(member, error);
      }
    },
    async askWhole(member, question, signal) {
      const { answer, bytes, close } = await ask(member, question, signal);
      try {
        const body = await wholeBody({ body: bytes }, mostWholeBytes);
        const isRight =
          answer.word !== 'found' || answer.body === undefined || digestOf(body) === answer.body;
        if (!isRight) throw new MemberFailed(`${member} sent other bytes than its answer states`, 'strange');
        return { answer, bytes: body };
      } finally {
        close();
      }
    },
  };
}

/** What the upstream would be asked for, in the words of `askedOnce`. */
function subjectOf(ask: MemberAsk): string {
  const place = `${ask.upstream}/${ask.repository}`;
  if (ask.kind === 'tags') return place;
  if (ask.kind === 'manifest' && ask.tag !== undefined) return `${place}:${ask.tag}`;
  return `${place}@${ask.digest}`;
}

/** Members that were not told learn it from the next ping. */
const ignored = (): void => undefined;

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

interface Watching {
  readonly watch: Vigil;
  readonly member: string;
  readonly came: () => void;
  readonly received: ((bytes: number) => void) | undefined;
}

/** The same bytes; the end of the member's life is MemberFailed. */
async function* watched(
  body: ResponseBody,
  { watch, member, came, received }: Watching,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of body) {
      watch.came();
      came();
      received?.(chunk.byteLength);
      yield chunk;
      watch.waits();
    }
  } catch (error) {
    throw failed(member, error);
  } finally {
    watch[Symbol.dispose]();
    body.destroy();
  }
}

function failed(member: string, cause: unknown): MemberFailed {
  if (cause instanceof MemberFailed) return cause;
  return new MemberFailed(`${member} could not be asked`, 'dead', { cause });
}
