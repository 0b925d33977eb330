// Room `cache/eviction`: keeps a store within its size. In: the store, and the digests served per
// day. Out: deletions, and the plan behind them. Imports: base, cache/members, lease, oci, store;
// types of cache, cache/records.

import { Semaphore } from '../../base/flow/semaphore.ts';
import { ageMs } from '../../base/time/wait.ts';
import { createLease, type Lease } from '../../lease/lease.ts';
import { createRecordLease } from '../../lease/record.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Store } from '../../store/store.ts';
import type { TagTest } from '../records/freshness.ts';
import { carriedOut } from './act.ts';
import { type Inventory, inventoryOf, measured } from './inventory.ts';
import { deletedOldMembers } from './old-members.ts';
import { pinnedDigests } from './pins.ts';
import { type Eviction, type EvictionPlan, evictionPlan, isAboveMark } from './plan.ts';
import { storedGraph } from './stored-graph.ts';
import type { Usage } from './usage.ts';

interface Evictor {
  /**
   * Measures the store, and above the high mark deletes down to the low one. One run at a time over
   * all replicas. Rejects, without any deletion, if an input cannot be read.
   */
  run(options?: EvictionRunOptions): Promise<EvictionReport>;
  /** Runs periodically, first after a random part of the pause, so that replicas take turns. */
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
  readonly usage: Pick<Usage, 'eachUse' | 'flush' | 'isRecent'>;
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
  /** Called after each deletion, so that memory caches forget the content. */
  readonly deleted?: (digest: Digest) => void;
  readonly events?: Partial<EvictionEvents>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

type EvictionSettings = Required<Omit<EvictorOptions, 'events'>> & {
  readonly events: Partial<EvictionEvents>;
};

/** How long the others wait for a replica that died while it evicted, milliseconds. */
const leaseMs = 60_000;
/** If only pinned blobs remain, the next scan waits 12 times longer: it would find the same. */
const hopelessFactor = 12;

/** An evictor over any store. It reads the store in each run and remembers nothing between runs. */
export function createEvictor(options: EvictorOptions): Evictor {
  const settings = withDefaults(options);
  const turn = evictionLease(settings);
  const closing = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const runs = new Semaphore({ permits: 1 });

  function run({ dryRun = false, signal }: EvictionRunOptions = {}): Promise<EvictionReport> {
    const stop = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);
    return runs.run(async () => {
      stop.throwIfAborted();
      return dryRun ? (await planned(settings, stop)).report : runLeased(settings, turn, stop);
    });
  }

  function schedule(afterMs: number): void {
    if (closing.signal.aborted) return;
    timer = setTimeout(() => void runInBackground().then(schedule), afterMs);
    timer.unref();
  }

  /** Resolves to the pause before the next run. */
  async function runInBackground(): Promise<number> {
    try {
      return isHopeless(await run()) ? settings.everyMs * hopelessFactor : settings.everyMs;
    } catch (error) {
      if (!closing.signal.aborted) settings.events.failed?.({ error });
      return settings.everyMs;
    }
  }

  return {
    run,
    start: () => schedule(settings.everyMs * Math.random()),
    async close() {
      closing.abort(new Error('the evictor is closed'));
      clearTimeout(timer);
      await runs.run(async () => undefined);
    },
  };
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
    graceMs: 1_200_000,
    keepMembersMs: 30 * 86_400_000,
    isInUse: () => false,
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
  return createLease({ name, medium, holder, ttlMs: leaseMs, trustsClocks: true, clock });
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
  const { report: plan, inventory } = await planned(settings, signal);
  if (inventory === undefined) return plan;
  const { store, usage, events, isInUse, deleted } = settings;
  const evictions = await carriedOut(plan.evictions, {
    store,
    isInUse: (digest) => isInUse(digest) || usage.isRecent(digest),
    evicted(eviction) {
      deleted(eviction.digest);
      events.evicted?.(eviction);
    },
    signal,
  });
  const freed = evictions.reduce((sum, { size }) => sum + size, 0);
  const afterBytes = plan.beforeBytes - freed;
  const report: EvictionReport = { ...plan, outcome: 'evicted', evictions, afterBytes };
  events.ran?.(report);
  const gone = new Set(evictions.map(({ digest }) => digest));
  await deletedOldMembers(store.records, {
    isHeld: (digest) => inventory.indexOf(digest) !== undefined && !gone.has(digest),
    before: settings.clock() - settings.keepMembersMs,
    signal,
  });
  return report;
}

interface Planned {
  readonly report: EvictionReport;
  /** Absent below the mark, where it is not read. */
  readonly inventory?: Inventory;
}

/** The plan, from freshly read inputs; below the mark it needs only the listing. */
async function planned(settings: EvictionSettings, signal: AbortSignal): Promise<Planned> {
  const { store, usage, events, maxBytes, lowPercent } = settings;
  const { blobs, bytes } = await measured(store.blobs.list({ signal }));
  events.measured?.({ blobs, bytes });
  const idle = { blobs, beforeBytes: bytes, afterBytes: bytes, evictions: [], isStuck: false };
  if (!isAboveMark(bytes, settings)) return { report: { outcome: 'below mark', ...idle } };
  await usage.flush();
  const inventory = await inventoryOf(store.blobs.list({ signal }));
  const references = await storedGraph(store.blobs, inventory, { signal });
  const pinned = await pinnedDigests(store.records, settings.pins, signal);
  const usedAt = await latestUses(settings, inventory, signal);
  const input = { ...settings, inventory, references, pinned, usedAt, now: settings.clock() };
  const { delete: evictions, ...plan } = evictionPlan(input);
  const isStuck = plan.afterBytes > (maxBytes * lowPercent) / 100;
  return { report: { ...idle, outcome: 'planned', ...plan, evictions, isStuck }, inventory };
}

/**
 * By index; what was never served counts as used when it was stored. A use whose time has not come
 * yet, by a clock that was wrong, is a late one, and does not hold the content until that time.
 */
async function latestUses(
  { usage, graceMs, clock }: EvictionSettings,
  inventory: Inventory,
  signal: AbortSignal,
): Promise<Float64Array> {
  const now = clock();
  const believed = (at: number): number => (Number.isFinite(ageMs(at, now)) ? at : now - graceMs);
  const latest = Float64Array.from(inventory.storedAt, believed);
  const note = (digest: Digest, usedAt: number) => {
    const index = inventory.indexOf(digest);
    if (index !== undefined) latest[index] = Math.max(latest[index] ?? 0, believed(usedAt));
  };
  await usage.eachUse(note, { signal });
  return latest;
}
