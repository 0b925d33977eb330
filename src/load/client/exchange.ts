import type { Semaphore } from '../../base/flow/semaphore.ts';
import { sleep } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import {
  contentLength,
  type Dispatch,
  discard,
  headerOf,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../../upstream/exchange.ts';
import { parseRetryAfter } from '../../upstream/resilience/retry.ts';
import type { LoadRecorder } from '../recorder.ts';
import type { DigestChecks } from '../verify/digest-check.ts';
import { StatusFailure, toLoadFailure } from './failure.ts';
import type { ClientManners } from './manners.ts';
import type { LoadTarget } from './target.ts';

/** What all work of one node goes through. */
export interface NodeContext {
  readonly target: LoadTarget;
  readonly send: Dispatch;
  readonly manners: ClientManners;
  readonly recorder: LoadRecorder;
  readonly checks: DigestChecks;
  /** `os/architecture` of the images that it runs. */
  readonly platform: string;
  /** Of its requests at a time. */
  readonly permits: Semaphore;
  /** Since the start of the load, milliseconds. */
  readonly now: () => number;
  /** Aborts when the load is over. */
  readonly signal: AbortSignal;
  /** Contents whose check is not done yet. */
  readonly checking: Set<Promise<void>>;
  /** What it has pulled; absent where it keeps nothing. */
  readonly kept?: Set<Digest>;
}

/**
 * The answer with one of the wanted statuses, after the retries that the client would make. Throws
 * LoadFailure.
 */
export async function answered(
  node: NodeContext,
  ask: UpstreamRequest,
  wanted: readonly number[],
): Promise<UpstreamResponse> {
  const where = `${ask.method} ${ask.url.pathname}`;
  for (let tries = 1; ; tries += 1) {
    const answer = await sent(node, ask, where);
    if (wanted.includes(answer.status)) return answer;
    discard(answer);
    const after = parseRetryAfter(headerOf(answer, 'retry-after'), Date.now());
    const pauseMs = node.manners.pauseAfter(answer.status, tries, after);
    if (pauseMs === undefined) throw new StatusFailure(answer.status, where, after);
    node.recorder.retried();
    await sleep(pauseMs, node.signal);
  }
}

async function sent(node: NodeContext, ask: UpstreamRequest, where: string): Promise<UpstreamResponse> {
  try {
    return await node.send({ ...ask, signal: node.signal });
  } catch (error) {
    node.signal.throwIfAborted();
    throw toLoadFailure(error, where);
  }
}

interface ReceivedBody {
  readonly bytes: number;
  /** When the first byte came; undefined without any. */
  readonly firstAtMs: number | undefined;
  /** Why it broke off. */
  readonly failure?: unknown;
}

/** Reads a body to its end, or to where it breaks off, and counts what comes. */
export async function received(
  node: NodeContext,
  answer: UpstreamResponse,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<ReceivedBody> {
  let bytes = 0;
  let firstAtMs: number | undefined;
  const expected = contentLength(answer);
  try {
    for await (const chunk of answer.body) {
      const atMs = node.now();
      firstAtMs ??= atMs;
      bytes += chunk.byteLength;
      node.recorder.received(chunk.byteLength, atMs);
      const room = take(chunk);
      if (room !== undefined) await room;
    }
  } catch (failure) {
    node.signal.throwIfAborted();
    return { bytes, firstAtMs, failure };
  }
  const isShort = expected !== undefined && bytes < expected;
  return { bytes, firstAtMs, ...(isShort ? { failure: new Error('the body is short') } : {}) };
}
