// Room `proxy/clients`: who a client is by address, and how much it may take. In: requests. Out:
// slots, addresses. Imports: base, oci; types of proxy.

import { createFairQueue } from '../../base/flow/fair-queue.ts';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { LimitName, ProxyEvents } from '../events.ts';

/** How many requests may be under way. */
interface LimitBounds {
  /** Requests answered at once; 0 for no limit at all. */
  readonly maxRunning: number;
  /** Requests that may wait for their turn; 0 for none. */
  readonly maxInQueue: number;
  /** How long one may wait, in milliseconds; 0 for as long as the client does. */
  readonly maxWaitInQueueMs: number;
}

interface SlotOptions extends LimitBounds {
  /** Whose limit it is, for events. */
  readonly limit: LimitName;
  readonly events?: Partial<ProxyEvents>;
}

/** Gives the slot back. Only the first call counts. */
export type ReleaseSlot = () => void;

/** A limit of requests under way, as in OpenShift's registry (`requests.read`). */
export interface Limit {
  /**
   * A slot: at once if one is free, else when the turn of that address and, within it, of that
   * subject has come. While slots are scarce none of either has all of them: see Shares. Throws or
   * rejects with `TOOMANYREQUESTS` when the queue is full or the wait is over, and with the
   * signal's reason when the client leaves; it then holds no place. The signal is asked for only
   * where there is a wait: on the hot path it would cost more than the slot.
   */
  enter(leaving?: () => AbortSignal, address?: string, subject?: string): MaybePromise<ReleaseSlot>;
  /** Other bounds from now on. Requests that wait keep the time that they were given. */
  resize(bounds: LimitBounds): void;
}

/** Clients that honour it come back after this long, in seconds. */
const retryAfterSeconds = 1;

interface SlotWaiter {
  readonly come: () => void;
  readonly refuse: () => void;
}

export function createLimit({ limit: name, events, ...first }: SlotOptions): Limit {
  let bounds: LimitBounds = first;
  const waiting = createFairQueue<SlotWaiter>(() => bounds.maxInQueue);
  let plenty = openToAll(bounds);
  const shares = createShares(() => bounds.maxRunning - plenty);
  let running = 0;

  events?.limitOpened?.({ limit: name, running: () => running, waiting: () => waiting.size });

  const mayEnter = (address: string, subject: string): boolean =>
    running < plenty || (running < bounds.maxRunning && shares.mayTake(address, subject));

  function entered(address: string, subject: string): ReleaseSlot {
    const isScarce = running >= plenty;
    if (isScarce) shares.take(address, subject);
    running += 1;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      if (isScarce) shares.giveBack(address, subject);
      running -= 1;
      waiting.next(mayEnter)?.come();
    };
  }

  function refused(reason: 'queue-full' | 'waited-too-long'): RegistryError {
    events?.limitRefused?.({ limit: name, reason });
    return new RegistryError('TOOMANYREQUESTS', 'too many requests are under way', { retryAfterSeconds });
  }

  function queued(signal: AbortSignal | undefined, address: string, subject: string): Promise<ReleaseSlot> {
    const { promise, resolve, reject } = Promise.withResolvers<ReleaseSlot>();
    const outOfQueue = (): void => {
      waiting.delete(waiter);
      clearTimeout(timer);
      signal?.removeEventListener('abort', gone);
    };
    const end = (error: () => unknown): void => {
      outOfQueue();
      reject(error());
    };
    const gone = (): void => end(() => signal?.reason);
    const waiter: SlotWaiter = {
      come() {
        outOfQueue();
        resolve(entered(address, subject));
      },
      refuse: () => end(() => refused('queue-full')),
    };
    const waitedTooLong = (): void => end(() => refused('waited-too-long'));
    const { maxWaitInQueueMs } = bounds;
    const timer = maxWaitInQueueMs > 0 ? setTimeout(waitedTooLong, maxWaitInQueueMs) : undefined;
    signal?.addEventListener('abort', gone);
    waiting.add(waiter, address, subject)?.refuse();
    return promise;
  }

  return {
    enter(leaving, address = '', subject = '') {
      if (mayEnter(address, subject)) return entered(address, subject);
      const signal = leaving?.();
      signal?.throwIfAborted();
      return queued(signal, address, subject);
    },
    resize(changed) {
      bounds = changed;
      plenty = openToAll(bounds);
      for (let next = waiting.next(mayEnter); next !== undefined; next = waiting.next(mayEnter)) next.come();
    },
  };
}

/** So many slots are open to every client; all, where there is no limit. */
function openToAll({ maxRunning }: LimitBounds): number {
  return maxRunning === 0 ? Number.POSITIVE_INFINITY : Math.floor(maxRunning / 2);
}

/**
 * The shares of scarce slots. The first half is open to every client. Of the second half one
 * address, and one subject, has at most four fifths, so that others find a slot at once.
 */
interface Shares {
  /** Whether these may have one more. */
  mayTake(address: string, subject: string): boolean;
  take(address: string, subject: string): void;
  giveBack(address: string, subject: string): void;
}

/** Shares of so many scarce slots. An empty address or subject has no bound. */
function createShares(scarce: () => number): Shares {
  const held = new Map<string, number>();

  const hasRoom = (key: string): boolean => (held.get(key) ?? 0) < scarce() - Math.floor(scarce() / 5);

  function add(key: string, change: 1 | -1): void {
    const count = (held.get(key) ?? 0) + change;
    if (count > 0) held.set(key, count);
    else held.delete(key);
  }

  const keysOf = (address: string, subject: string): readonly string[] => [
    ...(address === '' ? [] : [`address ${address}`]),
    ...(subject === '' ? [] : [`subject ${subject}`]),
  ];

  return {
    mayTake: (address, subject) => keysOf(address, subject).every(hasRoom),
    take(address, subject) {
      for (const key of keysOf(address, subject)) add(key, 1);
    },
    giveBack(address, subject) {
      for (const key of keysOf(address, subject)) add(key, -1);
    },
  };
}
