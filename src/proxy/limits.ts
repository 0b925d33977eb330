import { RegistryError } from '../oci/errors.ts';
import type { LimitName, ProxyEvents } from './events.ts';

export interface LimitOptions {
  /** Whose limit it is, for events. */
  readonly limit: LimitName;
  /** Requests answered at once; 0 for no limit at all. */
  readonly maxRunning: number;
  /** Requests that may wait for their turn; 0 for none. */
  readonly maxInQueue: number;
  /** How long one may wait, in milliseconds; 0 for as long as the client does. */
  readonly maxWaitInQueueMs: number;
  readonly events?: Partial<ProxyEvents>;
}

/** Gives the slot back. Only the first call counts. */
export type Leave = () => void;

/** A bound on requests under way, as the OpenShift registry's `requests.read` and `requests.write` are. */
export interface Limit {
  /**
   * A slot: at once if one is free, else in the order of arrival. Throws or rejects with `TOOMANYREQUESTS` when the queue is full
   * or the wait is over, and with the signal's reason when the client leaves; it then holds no place. The signal is asked for
   * only where there is a wait: on the hot path it would cost more than the slot.
   */
  enter(leaving?: () => AbortSignal): Leave | Promise<Leave>;
}

/** Clients that honour it come back after this long, in seconds. */
const retryAfterSeconds = 1;

export function limit({ limit: name, events, ...bounds }: LimitOptions): Limit {
  const { maxRunning, maxInQueue, maxWaitInQueueMs } = bounds;
  const waiting = new Set<() => void>();
  let running = 0;

  const changed = (): void => events?.limitChanged?.({ limit: name, running, waiting: waiting.size });

  /** The slot of one that leaves goes to whoever waits longest. */
  function left(): void {
    running -= 1;
    const [next] = waiting;
    if (next === undefined) changed();
    else next();
  }

  function entered(): Leave {
    running += 1;
    changed();
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      left();
    };
  }

  function refused(reason: 'queue-full' | 'waited-too-long'): RegistryError {
    events?.limitRefused?.({ limit: name, reason });
    return new RegistryError('TOOMANYREQUESTS', 'too many requests are under way', { retryAfterSeconds });
  }

  function queued(signal: AbortSignal | undefined): Promise<Leave> {
    const { promise, resolve, reject } = Promise.withResolvers<Leave>();
    const outOfQueue = (): void => {
      waiting.delete(turn);
      clearTimeout(timer);
      signal?.removeEventListener('abort', gone);
    };
    const turn = (): void => {
      outOfQueue();
      resolve(entered());
    };
    const gone = (): void => {
      outOfQueue();
      changed();
      reject(signal?.reason);
    };
    const waitedTooLong = (): void => {
      outOfQueue();
      changed();
      reject(refused('waited-too-long'));
    };
    const timer = maxWaitInQueueMs > 0 ? setTimeout(waitedTooLong, maxWaitInQueueMs) : undefined;
    signal?.addEventListener('abort', gone);
    waiting.add(turn);
    changed();
    return promise;
  }

  return {
    enter(leaving) {
      if (maxRunning === 0 || running < maxRunning) return entered();
      if (waiting.size >= maxInQueue) throw refused('queue-full');
      const signal = leaving?.();
      signal?.throwIfAborted();
      return queued(signal);
    },
  };
}
