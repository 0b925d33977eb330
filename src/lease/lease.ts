// Room `lease`: the right to do one job, which one process at a time has. In: a medium: a record of
// the store, or a Lease. Out: work that runs while the lease is held. Imports: base, kubernetes,
// store.

import { randomUUID } from 'node:crypto';
import { createNotifier } from '../base/flow/notifier.ts';
import { type Clock, systemClock, withTimeout } from '../base/time/wait.ts';
import { type Hold, kept } from './hold.ts';
import type { LeaseEvents, LeaseMedium, LeaseRecord } from './medium.ts';

interface LeaseOptions<Written extends LeaseRecord> {
  /** Which job, in messages. */
  readonly name: string;
  readonly medium: LeaseMedium<Written>;
  /** Who does it, for those who look at the record. Something random is added. */
  readonly holder: string;
  /**
   * How long others wait for a dead holder, milliseconds. Without a renewal, work is aborted after
   * two thirds of it, and has the last third to stop. Default 15,000.
   */
  readonly ttlMs?: number;
  /** Pause between two renewals, milliseconds. Default `ttlMs / 7.5`. */
  readonly retryMs?: number;
  /** Pause between two reads of another's lease, milliseconds. Default `retryMs`. */
  readonly lookMs?: number;
  /** The lease is also free once it expired by its holder's clock. Default false. */
  readonly trustsClocks?: boolean;
  readonly events?: Partial<LeaseEvents>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  readonly clock?: Clock;
}

/** The work of the holder; its signal aborts when the lease is lost, or the caller aborts. */
type Leased<Result> = (signal: AbortSignal) => Promise<Result>;

/** The right to do one job, for one process at a time. Released when the work has ended. */
export interface Lease {
  /** Waits until it is ours. Rejects as the work does, or when the signal aborts. */
  held<Result>(work: Leased<Result>, options?: { readonly signal?: AbortSignal }): Promise<Result>;
  /** Undefined, with no work done, when another has it. Rejects also when that cannot be told. */
  tried<Result>(
    work: Leased<Result>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<{ readonly result: Result } | undefined>;
  /** Who waits looks again at once: the lease is said to be free. */
  look(): void;
}

/**
 * A lease by the rules of Kubernetes components: another's record is stale if unchanged for its
 * whole duration by our own clock; every write names the version that it replaces.
 */
export function createLease<Written extends LeaseRecord>(options: LeaseOptions<Written>): Lease {
  const { name, medium, ttlMs = 15_000, events = {}, now: epoch = Date.now, clock = systemClock } = options;
  const { retryMs = ttlMs / 7.5, lookMs = retryMs } = options;
  const renewMs = (ttlMs * 2) / 3;
  const terms = { name, medium, ttlMs, renewMs, retryMs, events, clock };
  const freed = createNotifier(clock);
  let seen: { readonly version: string; readonly at: number } | undefined;

  function isFree({ holder, version, ttlMs: theirMs = ttlMs, expiresAt }: Written): boolean {
    const now = clock.now();
    if (seen?.version !== version) seen = { version, at: now };
    if (holder === '' || now - seen.at > theirMs) return true;
    return options.trustsClocks === true && expiresAt !== undefined && expiresAt <= epoch();
  }

  async function acquired(): Promise<Hold<Written> | undefined> {
    const found = await withTimeout(medium.read(), renewMs, undefined, clock);
    if (found !== undefined && !isFree(found)) return undefined;
    const holder = `${options.holder}_${randomUUID()}`;
    const since = clock.now();
    const record = await withTimeout(medium.write({ holder, ttlMs }, found), renewMs, undefined, clock);
    // An answer that came too late for us to act on is no lease: the record runs out by itself.
    if (record === undefined || clock.now() - since > renewMs) return undefined;
    events.acquired?.({ name, holder });
    return { holder, record, since };
  }

  async function released({ holder, record }: Hold<Written>): Promise<void> {
    try {
      const written = await withTimeout(
        medium.write({ holder: '', ttlMs }, record),
        renewMs,
        undefined,
        clock,
      );
      if (written !== undefined) events.released?.({ name, holder });
    } catch (error) {
      events.failed?.({ name, error });
    }
  }

  async function done<Result>(hold: Hold<Written>, work: Leased<Result>, signal?: AbortSignal) {
    const lost = new AbortController();
    const over = new AbortController();
    const keeping = kept(hold, terms, over.signal).then((last) => {
      if (last !== undefined) return last;
      events.lost?.({ name, holder: hold.holder });
      lost.abort(new Error(`the lease "${name}" was lost`));
      return undefined;
    });
    try {
      signal?.throwIfAborted();
      return await work(signal === undefined ? lost.signal : AbortSignal.any([lost.signal, signal]));
    } finally {
      over.abort();
      const last = await keeping;
      if (last !== undefined) await released(last);
    }
  }

  return {
    async held(work, { signal } = {}) {
      for (;;) {
        signal?.throwIfAborted();
        // Before the read: what is said meanwhile counts.
        const next = freed.wait(lookMs * (1 + Math.random() / 5), signal);
        const hold = await acquired().catch((error: unknown) => {
          events.failed?.({ name, error });
          return undefined;
        });
        if (hold !== undefined) return await done(hold, work, signal);
        await next;
      }
    },
    async tried(work, { signal } = {}) {
      const hold = await acquired();
      return hold && { result: await done(hold, work, signal) };
    },
    look: () => freed.notify(),
  };
}
