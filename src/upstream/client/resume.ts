import { backoffMs } from '../../base/time/backoff.ts';
import { mayPass } from '../../base/time/retry.ts';
import { type Patience, watched } from '../../base/time/stall.ts';
import { sleep } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { ResponseBody } from '../exchange.ts';
import type { UpstreamSettings } from '../http/options.ts';
import { pauseAfter, TryAgain } from '../resilience/retry.ts';

/** A piece of a blob as one answer delivers it. */
export interface BodyPart {
  /** Offset of the body's first byte; before the requested one if the upstream ignores ranges. */
  readonly start: number;
  readonly body: ResponseBody;
}

/** How a broken download is resumed, and who is told of it. */
export interface ResumeSettings
  extends Pick<UpstreamSettings, 'resumes' | 'stallTimeoutMs' | 'progressTimeoutMs' | 'random'> {
  readonly received: (bytes: number) => void;
  readonly resumed: () => void;
}

interface ResumeOptions extends ResumeSettings {
  /** The first byte wanted. */
  readonly start: number;
  /** The last byte wanted, inclusive; the end of the body, where the size is unknown. */
  readonly end: number | undefined;
  /** Asks again, for the bytes from `position` to `end`. */
  readonly reopen: (position: number) => Promise<BodyPart>;
  readonly signal: AbortSignal;
}

/**
 * The bytes from `start` to `end` over as many connections as needed. Continues while bytes come;
 * throws once `resumes` tries in a row brought none, or a permanent refusal.
 */
export async function* resumedBytes(
  first: BodyPart,
  options: ResumeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  let part: BodyPart | undefined = first;
  let position = options.start;
  for (let failures = 0; ; ) {
    try {
      part ??= await options.reopen(position);
      for await (const chunk of wanted(part, position, options, patienceAfter(failures, options))) {
        position += chunk.byteLength;
        failures = 0;
        yield chunk;
      }
      if (options.end === undefined || position > options.end) return;
      throw new TryAgain('network', brokenOff());
    } catch (error) {
      options.signal.throwIfAborted();
      if (options.end !== undefined && position > options.end) return;
      part = undefined;
      failures += 1;
      await pauseBefore(failures, error, options);
    }
  }
}

function patienceAfter(failures: number, { stallTimeoutMs, progressTimeoutMs }: ResumeOptions): Patience {
  const nextMs = Math.min(progressTimeoutMs, stallTimeoutMs);
  return { firstMs: backoffMs(failures, { firstMs: stallTimeoutMs, longestMs: progressTimeoutMs }), nextMs };
}

async function pauseBefore(failures: number, error: unknown, options: ResumeOptions): Promise<void> {
  const refusal = error instanceof TryAgain ? error.refusal : error;
  const after = refusal instanceof RegistryError ? refusal.retryAfterSeconds : undefined;
  if (refusal instanceof RegistryError && !isWorthResuming(refusal)) throw refusal;
  const pauseMs = pauseAfter(failures - 1, after, options.random);
  if (failures > options.resumes || pauseMs === undefined) throw brokenOff(refusal);
  options.resumed();
  await sleep(failures === 1 && after === undefined ? 0 : pauseMs, options.signal);
}

function isWorthResuming(refusal: RegistryError): boolean {
  return mayPass(refusal) && refusal.code !== 'UPSTREAM_INVALID';
}

/**
 * The part's bytes from `position` to the wanted end. Counts all received bytes. Reads to the end
 * of the answer, to keep the connection, unless more comes than is wanted.
 */
async function* wanted(
  part: BodyPart,
  position: number,
  options: ResumeOptions,
  patience: Patience,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = part.start;
  const last = options.end ?? Number.POSITIVE_INFINITY;
  const { body } = part;
  const stalled = (): void => void body.destroy(new Error('no byte came in time'));
  try {
    for await (const chunk of watched(body, patience, stalled)) {
      options.received(chunk.byteLength);
      const from = Math.max(0, position - offset);
      const to = Math.min(chunk.byteLength, last + 1 - offset);
      offset += chunk.byteLength;
      if (from < to) yield from === 0 && to === chunk.byteLength ? chunk : chunk.subarray(from, to);
      if (offset > last + 1) return;
    }
  } finally {
    body.destroy();
  }
}

function brokenOff(cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the upstream interrupted the download of a blob', { cause });
}
