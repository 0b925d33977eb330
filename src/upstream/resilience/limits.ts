import { sleep } from '../../base/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import { type Ask, isReplayable, type Send } from '../exchange.ts';

export interface LimitOptions {
  readonly maxConcurrent: number;
  readonly maxQueued: number;
}

interface GateOptions {
  /** A number, or what says how many there may be by now. */
  readonly maxConcurrent: number | (() => number);
  readonly maxQueued: number;
}

/** A place with room for so many at a time; the others wait outside in order. */
export interface Gate {
  /** Resolves once there is room, to the function that leaves again. A full queue is `TOOMANYREQUESTS`. */
  enter(signal?: AbortSignal): Promise<() => void>;
}

/** A gate, empty. */
export function gate({ maxConcurrent, maxQueued }: GateOptions): Gate {
  const width = typeof maxConcurrent === 'number' ? () => maxConcurrent : maxConcurrent;
  let inside = 0;
  const queue = new Set<() => void>();
  const left = (): void => {
    inside -= 1;
    for (const next of queue) {
      if (inside >= width()) return;
      inside += 1;
      queue.delete(next);
      next();
    }
  };
  return {
    async enter(signal) {
      signal?.throwIfAborted();
      if (inside < width()) inside += 1;
      else if (queue.size < maxQueued) await turn(queue, signal);
      else throw crowded();
      return once(left);
    },
  };
}

/**
 * What keeps requests inside one of three gates until their bodies are over: downloads in one, uploads in the second,
 * everything else in the third, so that long bodies never hold up a question, nor an upload the download that feeds it.
 */
export function gates(options: LimitOptions): (send: Send) => Send {
  const downloads = gate(options);
  const uploads = gate(options);
  const questions = gate(options);
  const gateOf = (ask: Ask): Gate => {
    if (!isReplayable(ask)) return uploads;
    return isDownload(ask) ? downloads : questions;
  };
  return (send) => async (ask) => {
    const leave = await gateOf(ask).enter(ask.signal);
    try {
      const answer = await send(ask);
      if (answer.body.closed) leave();
      else answer.body.once('close', leave);
      return answer;
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/** The same requests, spread out to so many a second, with bursts of one second's worth. */
export function paced(send: Send, requestsPerSecond: number, now: () => number): Send {
  const turn = metronome(requestsPerSecond, now);
  return async (ask) => {
    await turn(ask.signal);
    return send(ask);
  };
}

/** Resolves so many times a second, after bursts of one second's worth. */
export function metronome(
  requestsPerSecond: number,
  now: () => number,
): (signal?: AbortSignal) => Promise<void> {
  const stepMs = 1000 / requestsPerSecond;
  let nextAt = 0;
  return async (signal) => {
    const time = now();
    nextAt = Math.max(nextAt, time) + stepMs;
    const waitMs = nextAt - time - Math.max(1000, stepMs);
    if (waitMs > 0) await sleep(waitMs, signal);
  };
}

function isDownload({ kind, method }: Ask): boolean {
  return method === 'GET' && (kind === 'blob' || kind === 'cdn');
}

function turn(queue: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      queue.delete(enter);
      reject(signal?.reason);
    };
    const enter = (): void => {
      signal?.removeEventListener('abort', leave);
      resolve();
    };
    queue.add(enter);
    signal?.addEventListener('abort', leave, { once: true });
  });
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}

function crowded(): RegistryError {
  return new RegistryError('TOOMANYREQUESTS', 'too many requests wait for the upstream', {
    retryAfterSeconds: 2,
  });
}
