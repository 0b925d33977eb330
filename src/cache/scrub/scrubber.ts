// Room `cache/scrub`: reads every stored blob again and removes what went bad. In: a store. Out:
// events; progress that survives a restart. Imports: base, lease, oci, store.

import { Rounds } from '../../base/flow/rounds.ts';
import { createLease } from '../../lease/lease.ts';
import { createRecordLease } from '../../lease/record.ts';
import { type PassOptions, ScrubFailure, scrubPass } from './pass.ts';
import { readProgress, type ScrubProgress } from './progress.ts';

/** Reads every stored blob now and then, and deletes those that do not fit their digests. */
interface Scrubber {
  /**
   * Goes through the store, or on from an interrupted scrub, one at a time over all replicas.
   * Rejects when a blob cannot be read or the store listed; the next run goes on behind it.
   */
  run(): Promise<ScrubReport>;
  /** Runs when a scrub is due, first after a random pause, so that replicas spread. */
  start(): void;
  /** Ends the run under way, which is continued by the next one, and begins no more. */
  close(): Promise<void>;
}

interface ScrubReport extends Pick<ScrubProgress, 'blobs' | 'bytes' | 'wrong'> {
  /** `busy`: another replica is at it. `not due`: the last one began too short a time ago. */
  readonly outcome: 'busy' | 'not due' | 'complete';
  /** Until another one is due, milliseconds. */
  readonly dueInMs: number;
}

export interface ScrubberOptions extends Omit<PassOptions, 'signal'> {
  /** Names this replica in the lease. */
  readonly instance: string;
  /** From the beginning of one scrub to that of the next, milliseconds. */
  readonly everyMs: number;
}

/** How long others wait for a dead replica's scrub, ms. Each renewal is a write. */
const leaseMs = 600_000;
/** The first run comes within this part of `everyMs`; also after a failure. */
const patience = 1 / 96;

/** A scrubber over any store. */
export function createScrubber(options: ScrubberOptions): Scrubber {
  const { store, everyMs, events, clock } = options;
  const turn = createLease({
    name: 'scrub',
    medium: createRecordLease(store.records, { name: 'scrub', clock }),
    holder: options.instance,
    ttlMs: leaseMs,
    trustsClocks: true,
    now: clock,
  });
  const nothing = { blobs: 0, bytes: 0, wrong: 0 };
  const rounds = new Rounds(round);

  async function runDue(): Promise<ScrubReport> {
    rounds.signal.throwIfAborted();
    const dueInMs = dueIn(await readProgress(store.records));
    if (dueInMs > 0) return { outcome: 'not due', dueInMs, ...nothing };
    const done = await turn.tried(runLeased, { signal: rounds.signal });
    return done?.result ?? { outcome: 'busy', dueInMs: everyMs * patience, ...nothing };
  }

  /** A record of a clock that was ahead puts the next scrub off for one pause at most. */
  function dueIn(latest: ScrubProgress | undefined): number {
    if (latest?.state !== 'complete') return 0;
    return Math.min(everyMs, Math.max(0, latest.beganAt + everyMs - clock()));
  }

  async function runLeased(signal: AbortSignal): Promise<ScrubReport> {
    const latest = await readProgress(store.records);
    const dueInMs = dueIn(latest);
    if (dueInMs > 0) return { outcome: 'not due', dueInMs, ...nothing };
    const begun = latest?.state === 'running' ? latest : undefined;
    const progress = await scrubPass(begun ?? { beganAt: clock(), state: 'running', ...nothing }, {
      ...options,
      signal,
    });
    const { beganAt, blobs, bytes, wrong } = progress;
    events.scrubEnded({ beganAt, endedAt: clock(), blobs, bytes, wrong });
    return { outcome: 'complete', blobs, bytes, wrong, dueInMs: dueIn(progress) };
  }

  async function round(): Promise<number> {
    try {
      return (await rounds.alone(runDue)).dueInMs;
    } catch (error) {
      const failure =
        error instanceof ScrubFailure ? { error: error.cause, digest: error.digest } : { error };
      if (!rounds.signal.aborted) events.scrubFailed(failure);
      return everyMs * patience;
    }
  }

  return {
    run: () => rounds.alone(runDue),
    start: () => rounds.start(everyMs * patience * Math.random()),
    close: () => rounds.close('the scrubber is closed'),
  };
}
