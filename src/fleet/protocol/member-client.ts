import { randomBytes } from 'node:crypto';
import { anySignal, type Clock, systemClock, withFairTimeout } from '../../base/time/wait.ts';
import { digestOf } from '../../oci/digest.ts';
import type { Downloads } from '../../upstream/download/downloads.ts';
import type { ConnectOptions } from '../../upstream/download/pooled-socket.ts';
import type { ResponseBody } from '../../upstream/exchange.ts';
import { discard, headerOf, type UpstreamResponse, wholeBody } from '../../upstream/exchange.ts';
import {
  answerHeader,
  askHeader,
  isMemberAnswer,
  type MemberAnswer,
  type MemberAsk,
  type MemberNews,
  memberPrefix,
  newsPath,
  type Pong,
  parsePong,
  pathOf,
} from './ask.ts';
import type { Seals } from './seals.ts';
import { Vigil } from './vigil.ts';

/** The member gave no answer of this protocol: it is dead, a stranger, or of another version. */
export class MemberFailed extends Error {
  override readonly name = 'MemberFailed';
}

/** A member's answer. Read `bytes`, or call `close`. */
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
  /** Tells the member; never rejects, and gives up after 2 s. */
  tell(member: string, news: readonly MemberNews[]): Promise<void>;
}

interface WholeReply {
  readonly answer: MemberAnswer;
  readonly bytes: Uint8Array;
}

interface MemberClientOptions {
  readonly downloads: Downloads;
  readonly line: ConnectOptions;
  readonly isTls: boolean;
  readonly seals: Seals;
  readonly clock?: Clock;
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
  const { downloads, line, isTls, seals, clock = systemClock, received } = options;

  async function get(
    member: string,
    path: string,
    { signal, informed, news }: GetOptions,
  ): Promise<{ readonly response: UpstreamResponse; readonly statement: unknown }> {
    const nonce = randomBytes(12).toString('base64url');
    const url = new URL(`${isTls ? 'https' : 'http'}://${member}${path}`);
    const headers = {
      [askHeader]: await seals.seal('ask', { path, nonce, at: Date.now(), ...(news && { news }) }),
    };
    const response = await downloads.get({
      ...{ url, headers, line, signal, firstByteTimeoutMs: longestMs, progressTimeoutMs: longestMs },
      ...(informed === undefined ? {} : { informed }),
    });
    const opened = await seals.open('answer', headerOf(response, answerHeader));
    const isOurs = isProven(opened) && opened.nonce === nonce;
    if (!isOurs) discard(response);
    if (!isOurs)
      throw new MemberFailed(`${member} answered ${response.status} without a proof of the fleet's key`);
    return { response, statement: opened.statement };
  }

  async function ping(member: string): Promise<Pong | undefined> {
    const control = new AbortController();
    const asked = get(member, `${memberPrefix}ping`, { signal: control.signal });
    asked.then(({ response }) => discard(response), ignored);
    try {
      return parsePong((await withFairTimeout(asked, pingMs, () => undefined, clock))?.statement);
    } catch {
      return undefined;
    } finally {
      control.abort();
    }
  }

  async function ask(member: string, question: MemberAsk, asker?: AbortSignal): Promise<MemberReply> {
    const control = new AbortController();
    const isAlive = async (): Promise<boolean> => (await ping(member)) !== undefined;
    const vigil = new Vigil({ isAlive, clock }, () =>
      control.abort(new MemberFailed(`${member} gave no sign of life`)),
    );
    try {
      const signal = anySignal(asker, control.signal);
      const { response, statement } = await get(member, pathOf(question), {
        signal,
        informed: () => vigil.sign(),
      });
      vigil.sign();
      if (!isMemberAnswer(statement)) throw new MemberFailed(`${member} gave an answer that is unknown here`);
      const { body } = response;
      const close = (): void => {
        vigil[Symbol.dispose]();
        body.destroy();
      };
      return { answer: statement, bytes: watched(body, { vigil, member, received }), close };
    } catch (error) {
      vigil[Symbol.dispose]();
      asker?.throwIfAborted();
      throw failed(member, error);
    }
  }

  return {
    ping,
    ask,
    async tell(member, news) {
      const signal = AbortSignal.timeout(pingMs);
      await get(member, newsPath, { signal, news }).then(({ response }) => discard(response), ignored);
    },
    async askWhole(member, question, signal) {
      const { answer, bytes, close } = await ask(member, question, signal);
      try {
        const body = await wholeBody({ body: bytes }, mostWholeBytes);
        const isRight =
          answer.word !== 'found' || answer.body === undefined || digestOf(body) === answer.body;
        if (!isRight) throw new MemberFailed(`${member} sent other bytes than its answer states`);
        return { answer, bytes: body };
      } finally {
        close();
      }
    },
  };
}

/** Members that were not told learn it from the next ping. */
const ignored = (): void => undefined;

interface GetOptions {
  readonly signal: AbortSignal;
  readonly informed?: () => void;
  readonly news?: readonly MemberNews[];
}

interface Watching {
  readonly vigil: Vigil;
  readonly member: string;
  readonly received: ((bytes: number) => void) | undefined;
}

/** The same bytes; the end of the member's life is MemberFailed. */
async function* watched(
  body: ResponseBody,
  { vigil, member, received }: Watching,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of body) {
      vigil.came();
      received?.(chunk.byteLength);
      yield chunk;
      vigil.waits();
    }
  } catch (error) {
    throw failed(member, error);
  } finally {
    vigil[Symbol.dispose]();
    body.destroy();
  }
}

function failed(member: string, cause: unknown): MemberFailed {
  return cause instanceof MemberFailed ? cause : new MemberFailed(`${member} could not be asked`, { cause });
}

function isProven(value: unknown): value is { readonly nonce: string; readonly statement: unknown } {
  return typeof value === 'object' && value !== null && 'nonce' in value && 'statement' in value;
}
