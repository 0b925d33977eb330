import { RegistryError } from '../oci/errors.ts';
import type { Ask, Send } from './exchange.ts';
import { pause } from './waiting.ts';

export interface LimitOptions {
  readonly maxConcurrent: number;
  readonly maxQueued: number;
}

/** A place with room for so many at a time; the others wait outside in order. */
export interface Gate {
  /** Resolves once there is room, to the function that leaves again. A full queue is `TOOMANYREQUESTS`. */
  enter(signal?: AbortSignal): Promise<() => void>;
}

/** A gate, empty. */
export function gate({ maxConcurrent, maxQueued }: LimitOptions): Gate {
  let inside = 0;
  const queue = new Set<() => void>();
  const left = (): void => {
    const [next] = queue;
    if (next === undefined) {
      inside -= 1;
    } else {
      queue.delete(next);
      next();
    }
  };
  return {
    async enter(signal) {
      signal?.throwIfAborted();
      if (inside < maxConcurrent) inside += 1;
      else if (queue.size < maxQueued) await turn(queue, signal);
      else throw crowded();
      return once(left);
    },
  };
}

/**
 * What keeps requests inside one of two gates until their bodies are over: downloads in one, everything else in the
 * other, so that long downloads never hold up a question.
 */
export function gates(options: LimitOptions): (send: Send) => Send {
  const downloads = gate(options);
  const questions = gate(options);
  return (send) => async (ask) => {
    const leave = await (isDownload(ask) ? downloads : questions).enter(ask.signal);
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
  const stepMs = 1000 / requestsPerSecond;
  let nextAt = 0;
  return async (ask) => {
    const time = now();
    nextAt = Math.max(nextAt, time) + stepMs;
    const waitMs = nextAt - time - Math.max(1000, stepMs);
    if (waitMs > 0) await pause(waitMs, ask.signal);
    return send(ask);
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
