import { randomBytes } from 'node:crypto';
import { anySignal, type Clock, systemClock, withFairTimeout } from '../../base/time/wait.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Downloads } from '../../upstream/download/downloads.ts';
import type { ConnectOptions } from '../../upstream/download/pooled-socket.ts';
import type { ResponseBody } from '../../upstream/exchange.ts';
import { discard, headerOf, type UpstreamResponse, wholeBody } from '../../upstream/exchange.ts';
import { type MemberAnswer, parseAnswer } from './answer.ts';
import {
  answerHeader,
  askHeader,
  longestPath,
  type MemberAsk,
  newsPath,
  pathOf,
  pingPath,
  targetOf,
} from './ask.ts';
import { type MemberNews, type Pong, parsePong } from './news.ts';
import type { Seals } from './seals.ts';
import { type Liveness, Vigil } from './vigil.ts';

/** The member gave no answer that can be used. */
export class MemberFailed extends Error {
  override readonly name = 'MemberFailed';
  /**
   * `dead`: it gave no sign of life, or broke off. `strange`: it answered without a proof, or in
   * words of another version. `unasked`: the question is too long for members.
   */
  readonly how: 'dead' | 'strange' | 'unasked';

  constructor(message: string, how: MemberFailed['how'], options?: ErrorOptions) {
    super(message, options);
    this.how = how;
  }
}

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
  /** What the member says of a question about that subject. */
  liveness(member: string, about: string): Promise<Liveness>;
  /** Tells the member; never rejects, and gives up after 2 s. */
  tell(member: string, news: readonly MemberNews[]): Promise<void>;
}

interface WholeReply {
  readonly answer: MemberAnswer;
  readonly bytes: Uint8Array;
}

/** Carries questions to members. */
export type MemberWire = Pick<Downloads, 'get' | 'close'>;

interface MemberClientOptions {
  readonly wire: Pick<MemberWire, 'get'>;
  /** How members are connected to, as it is now. */
  readonly line: () => ConnectOptions;
  readonly isTls: boolean;
  readonly seals: Seals;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number;
  /** Bytes of bodies came from a member. */
  readonly received?: (bytes: number) => void;
}

const pingMs = 2_000;

/** The upstream's own limits end a question at its owner; this one is beyond all of them. */
const longestMs = 600_000;

/** Manifests and pages are no larger than what an upstream may send. */
const mostWholeBytes = 32 * 1024 * 1024;

/** A client over HTTP/1.1 connections that are used again. */
export function createMemberClient(options: MemberClientOptions): MemberClient {
  const { wire, line, isTls, seals, clock = systemClock, now = Date.now, received } = options;

  async function get(
    member: string,
    path: string,
    { signal, informed, news }: GetOptions,
  ): Promise<{ readonly response: UpstreamResponse; readonly statement: unknown }> {
    const nonce = randomBytes(12).toString('base64url');
    const url = new URL(`${isTls ? 'https' : 'http'}://${member}${path}`);
    const target = targetOf('GET', path);
    const proof = await seals.seal('ask', { target, nonce, at: now(), ...(news && { news }) });
    const response = await wire.get({
      ...{ url, headers: { [askHeader]: proof }, line: line(), signal },
      ...{ firstByteTimeoutMs: longestMs, progressTimeoutMs: longestMs },
      ...(informed === undefined ? {} : { informed }),
    });
    const opened = await seals.open('answer', headerOf(response, answerHeader));
    if (isProven(opened) && opened.nonce === nonce) return { response, statement: opened.statement };
    discard(response);
    const said = `${member} answered ${response.status} without a proof of the fleet's key`;
    throw new MemberFailed(said, 'strange');
  }

  async function asked(member: string, path: string): Promise<Pong | undefined> {
    const control = new AbortController();
    const answered = get(member, path, { signal: control.signal });
    answered.then(({ response }) => discard(response), ignored);
    try {
      return parsePong((await withFairTimeout(answered, pingMs, () => undefined, clock))?.statement);
    } catch {
      return undefined;
    } finally {
      control.abort();
    }
  }

  async function liveness(member: string, about: string): Promise<Liveness> {
    const pong = await asked(member, `${pingPath}?${new URLSearchParams({ about })}`);
    if (pong === undefined) return 'dead';
    return pong.isAsking === true ? 'asking' : 'idle';
  }

  async function ask(member: string, question: MemberAsk, asker?: AbortSignal): Promise<MemberReply> {
    const path = pathOf(question);
    if (path.length > longestPath) throw new MemberFailed('the question is too long for members', 'unasked');
    const control = new AbortController();
    const watch = new Vigil({ liveness: () => liveness(member, subjectOf(question)), clock }, () =>
      control.abort(new MemberFailed(`${member} gave no sign of life, or no byte`, 'dead')),
    );
    try {
      const signal = anySignal(asker, control.signal);
      const { response, statement } = await get(member, path, { signal, informed: () => watch.sign() });
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
      return { answer, bytes: watched(body, { watch, member, received }), close };
    } catch (error) {
      watch[Symbol.dispose]();
      asker?.throwIfAborted();
      throw failed(member, error);
    }
  }

  return {
    ping: (member) => asked(member, pingPath),
    liveness,
    ask,
    async tell(member, news) {
      const control = new AbortController();
      using _timer = clock.setTimeout(() => control.abort(), pingMs);
      const { signal } = control;
      await get(member, newsPath, { signal, news }).then(({ response }) => discard(response), ignored);
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

interface GetOptions {
  readonly signal: AbortSignal;
  readonly informed?: () => void;
  readonly news?: readonly MemberNews[];
}

interface Watching {
  readonly watch: Vigil;
  readonly member: string;
  readonly received: ((bytes: number) => void) | undefined;
}

/** The same bytes; the end of the member's life is MemberFailed. */
async function* watched(
  body: ResponseBody,
  { watch, member, received }: Watching,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of body) {
      watch.came();
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

function isProven(value: unknown): value is { readonly nonce: string; readonly statement: unknown } {
  return typeof value === 'object' && value !== null && 'nonce' in value && 'statement' in value;
}
