// Room `cache/eviction`: keeps a store within its size. In: the store, and the digests served per
// day. Out: deletions, and the plan behind them. Imports: base, cache/members, lease, oci,
// store, store/filesystem, store/s3; types of cache, cache/records.

import { Rounds } from '../../base/flow/rounds.ts';
import { ageMs } from '../../base/time/wait.ts';
import { createLease, type Lease } from '../../lease/lease.ts';
import { createRecordLease } from '../../lease/record.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Store } from '../../store/store.ts';
import type { TagTest } from '../records/freshness.ts';
import { carriedOut } from './act.ts';
import { defaultGraceMs, type Eviction, type EvictionPlan, isAboveMark } from './plan.ts';
import { createPlanner, type Planned, type Planner } from './planner.ts';
import type { RunningTotal } from './running-total.ts';
import type { Usage } from './usage.ts';

interface Evictor {
  /**
   * Walks the store, and above the high mark deletes down to the low one. One run at a time over
   * all replicas. Rejects, without any deletion, if an input cannot be read.
   */
  run(options?: EvictionRunOptions): Promise<EvictionReport>;
  /**
   * Looks at the running total periodically, and runs where that is above the mark, is unknown, or
   * was not checked for a day. First after a random part of the pause, so that replicas take turns.
   */
  start(): void;
  /** Ends the run under way after the deletion it is at, and begins no more. */
  close(): Promise<void>;
}

interface EvictionRunOptions {
  /** Decides and reports, deletes nothing, and needs no lease. */
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export interface EvictionReport {
  /** `busy`: another replica is at it. `below mark`: nothing to do. `planned`: a dry run's end. */
  readonly outcome: 'busy' | 'below mark' | 'planned' | 'evicted';
  /** How many pieces of content the store held. */
  readonly blobs: number;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** What was deleted, or would be. */
  readonly evictions: readonly Eviction[];
  /** Why the rest stays; absent when nothing had to be decided. */
  readonly kept?: EvictionPlan['kept'];
  /** True when everything that may go went, and the store still holds more than the low mark. */
  readonly isStuck: boolean;
}

/** What the evictor reports while it works. */
export interface EvictionEvents {
  measured(event: { readonly blobs: number; readonly bytes: number }): void;
  /** One piece of content is gone; every deletion is told, with its reason. */
  evicted(event: Eviction): void;
  /** A run ended that had something to do. */
  ran(event: EvictionReport): void;
  failed(event: { readonly error: unknown }): void;
}

export interface EvictorOptions {
  readonly store: Pick<Store, 'blobs' | 'records'>;
  readonly usage: Pick<Usage, 'unwritten' | 'flush' | 'isRecent'>;
  /** What the store holds, by what was put and deleted. Default: unknown, so each look walks. */
  readonly total?: Pick<RunningTotal, 'flush' | 'evicted' | 'walked'>;
  /** Who walks the store. Default: this thread. */
  readonly planner?: Planner;
  /** Names this replica in the lease. */
  readonly instance: string;
  /** What the store may hold, bytes. */
  readonly maxBytes: number;
  /** Deleting begins above this part of `maxBytes`, percent. Default 90. */
  readonly highPercent?: number;
  /** Deleting ends at this part of `maxBytes`, percent. Default 80. */
  readonly lowPercent?: number;
  /** Pause between runs, milliseconds. Default 300,000. */
  readonly everyMs?: number;
  /** Tags `<upstream>/<repository>:<tag>` that match keep all their content. Default: none. */
  readonly pins?: readonly TagTest[];
  /**
   * Content stored or used more recently is kept, milliseconds. Default 1,200,000: the use by
   * another replica is visible up to eleven minutes later.
   */
  readonly graceMs?: number;
  /** Membership of content that is not stored is deleted at this age, ms. Default 30 days. */
  readonly keepMembersMs?: number;
  /** True while this process reads or fills the digest, which prevents deletion. Default: never. */
  readonly isInUse?: (digest: Digest) => boolean;
  /** All that it is true for now. Default: nothing. */
  readonly inUse?: () => readonly Digest[];
  /** Called after each deletion, so that memory caches forget the content. */
  readonly deleted?: (digest: Digest) => void;
  readonly events?: Partial<EvictionEvents>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

type EvictionSettings = Required<Omit<EvictorOptions, 'total'>> & Pick<EvictorOptions, 'total'>;

/** How long the others wait for a replica that died while it evicted, milliseconds. */
const leaseMs = 60_000;
/** If only pinned blobs remain, the next scan waits 12 times longer: it would find the same. */
const hopelessFactor = 12;

/** A running total is checked by a walk at this age, milliseconds. */
const checkEveryMs = 86_400_000;

/** An evictor over any store. It reads the store in each run and remembers nothing between runs. */
export function createEvictor(options: EvictorOptions): Evictor {
  const settings = withDefaults(options);
  const turn = evictionLease(settings);
  const rounds = new Rounds(round);

  function run({ dryRun = false, signal }: EvictionRunOptions = {}): Promise<EvictionReport> {
    const stop = signal === undefined ? rounds.signal : AbortSignal.any([rounds.signal, signal]);
    return rounds.alone(async () => {
      stop.throwIfAborted();
      return dryRun
        ? reportOf(await planned(settings, stop, 'dry'), settings)
        : runLeased(settings, turn, stop);
    });
  }

  async function round(): Promise<number> {
    try {
      if (!(await mustWalk(settings))) return settings.everyMs;
      return isHopeless(await run()) ? settings.everyMs * hopelessFactor : settings.everyMs;
    } catch (error) {
      if (!rounds.signal.aborted) settings.events.failed?.({ error });
      return settings.everyMs;
    }
  }

  return {
    run,
    start: () => rounds.start(settings.everyMs * Math.random()),
    async close() {
      await rounds.close('the evictor is closed');
      await settings.total?.flush().catch(() => undefined);
    },
  };
}

/** Whether the running total is no answer, or says that content must go. */
async function mustWalk(settings: EvictionSettings): Promise<boolean> {
  const total = await settings.total?.flush();
  if (total === undefined) return true;
  const { blobs, bytes, checkedAt } = total;
  settings.events.measured?.({ blobs, bytes });
  return isAboveMark(bytes, settings) || !(ageMs(checkedAt, settings.clock()) < checkEveryMs);
}

function isHopeless({ isStuck, kept }: EvictionReport): boolean {
  return isStuck && kept !== undefined && kept.young + kept.inUse === 0;
}

function withDefaults(options: EvictorOptions): EvictionSettings {
  return {
    highPercent: 90,
    lowPercent: 80,
    everyMs: 300_000,
    pins: [],
    planner: createPlanner({ store: options.store, pins: options.pins ?? [] }),
    graceMs: defaultGraceMs,
    keepMembersMs: 30 * 86_400_000,
    isInUse: () => false,
    inUse: () => [],
    deleted: () => {},
    events: {},
    clock: Date.now,
    ...options,
  };
}

/** A run looks at the lease once, so that the clock of a holder that died must do. */
function evictionLease({ store, instance: holder, clock }: EvictionSettings): Lease {
  const name = 'eviction';
  const medium = createRecordLease(store.records, { name, clock });
  return createLease({ name, medium, holder, ttlMs: leaseMs, trustsClocks: true, now: clock });
}

async function runLeased(
  settings: EvictionSettings,
  turn: Lease,
  signal: AbortSignal,
): Promise<EvictionReport> {
  const done = await turn.tried((held) => executed(settings, held), { signal });
  if (done !== undefined) return done.result;
  return { outcome: 'busy', blobs: 0, beforeBytes: 0, afterBytes: 0, evictions: [], isStuck: false };
}

async function executed(settings: EvictionSettings, signal: AbortSignal): Promise<EvictionReport> {
  const found = await planned(settings, signal, 'real');
  const planReport = reportOf(found, settings);
  await settings.total?.walked(found);
  if (planReport.outcome === 'below mark') return planReport;
  const { store, usage, events, isInUse, deleted, total } = settings;
  const evictions = await carriedOut(planReport.evictions, {
    store,
    isInUse: (digest) => isInUse(digest) || usage.isRecent(digest),
    evicted(eviction) {
      total?.evicted(eviction.size);
      deleted(eviction.digest);
      events.evicted?.(eviction);
    },
    signal,
  });
  const freed = evictions.reduce((sum, { size }) => sum + size, 0);
  const afterBytes = planReport.beforeBytes - freed;
  const report: EvictionReport = { ...planReport, outcome: 'evicted', evictions, afterBytes };
  events.ran?.(report);
  return report;
}

/** A walk, with what only this process knows of uses. */
async function planned(
  settings: EvictionSettings,
  signal: AbortSignal,
  kind: 'dry' | 'real',
): Promise<Planned> {
  const { usage, events, planner, clock, keepMembersMs } = settings;
  await usage.flush();
  const { maxBytes, highPercent, lowPercent, graceMs } = settings;
  const question = {
    ...{ maxBytes, highPercent, lowPercent, graceMs },
    now: clock(),
    uses: usage.unwritten(),
    inUse: settings.inUse(),
    keepMembersMs: kind === 'real' ? keepMembersMs : undefined,
  };
  const found = await planner(question, signal);
  events.measured?.({ blobs: found.blobs, bytes: found.bytes });
  return found;
}

function reportOf({ blobs, bytes, plan }: Planned, settings: EvictionSettings): EvictionReport {
  const idle = { blobs, beforeBytes: bytes, afterBytes: bytes, evictions: [], isStuck: false };
  if (plan === undefined) return { outcome: 'below mark', ...idle };
  const { delete: evictions, ...decided } = plan;
  const isStuck = plan.afterBytes > (settings.maxBytes * settings.lowPercent) / 100;
  return { ...idle, outcome: 'planned', ...decided, evictions, isStuck };
}
