import { randomBytes } from 'node:crypto';
import type { TraceHeaders } from '../../base/flow/lasting.ts';
import { fieldsOf, isObject } from '../../base/text/json.ts';
import type { Downloads } from '../../upstream/download/downloads.ts';
import type { ConnectOptions } from '../../upstream/download/pooled-socket.ts';
import { discard, headerOf, type UpstreamResponse } from '../../upstream/exchange.ts';
import { answerHeader, askHeader, targetOf } from './ask.ts';
import type { ForwardedRequest } from './forwarded.ts';
import type { MemberNews } from './news.ts';
import type { Seals } from './seals.ts';

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

/** Carries questions to members. */
export type MemberWire = Pick<Downloads, 'get' | 'close'>;

export interface ProvenGetOptions {
  readonly wire: Pick<MemberWire, 'get'>;
  /** How members are connected to, as it is now. */
  readonly line: () => ConnectOptions;
  readonly isTls: boolean;
  readonly seals: Seals;
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number;
}

interface GetOptions {
  readonly signal: AbortSignal;
  /** The process that is to answer, and no other one. A ping may leave that open. */
  readonly to?: string;
  readonly informed?: () => void;
  readonly news?: readonly MemberNews[];
  readonly forwarded?: ForwardedRequest;
  /** Part of the proof: a stranger adds nothing to a trace. */
  readonly trace?: TraceHeaders;
}

interface ProvenAnswer {
  readonly response: UpstreamResponse;
  readonly statement: unknown;
}

/** The upstream's own limits end a question at its owner; this one is beyond all of them. */
const longestMs = 600_000;

/**
 * One question to a member, and its answer, each with its proof. A question has a number, the name
 * of the process that asks and of the one that is to answer, and a nonce that the answer repeats:
 * so a copy of it gets no answer from anyone. Throws MemberFailed, and what the wire throws.
 */
export function createProvenGet({ wire, line, isTls, seals, now = Date.now }: ProvenGetOptions) {
  const asker = randomBytes(9).toString('base64url');
  let number = 0;

  return async (
    member: string,
    path: string,
    { signal, informed, ...said }: GetOptions,
  ): Promise<ProvenAnswer> => {
    const nonce = randomBytes(12).toString('base64url');
    number += 1;
    const about = { target: targetOf('GET', path), nonce, at: now(), asker, number };
    const proof = await seals.seal('ask', { ...about, ...said });
    const response = await wire.get({
      url: new URL(`${isTls ? 'https' : 'http'}://${member}${path}`),
      ...{ headers: { [askHeader]: proof }, line: line(), signal },
      ...{ firstByteTimeoutMs: longestMs, progressTimeoutMs: longestMs },
      ...(informed === undefined ? {} : { informed }),
    });
    const opened = await seals.open('answer', headerOf(response, answerHeader));
    const { nonce: repeated, statement } = fieldsOf(opened);
    if (isObject(opened) && repeated === nonce) return { response, statement };
    discard(response);
    const words = `${member} answered ${response.status} without a proof of the fleet's key`;
    throw new MemberFailed(words, 'strange');
  };
}
