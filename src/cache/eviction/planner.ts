import { ageMs } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Store } from '../../store/store.ts';
import type { TagTest } from '../records/freshness.ts';
import { type Inventory, inventoryOf, measured } from './inventory.ts';
import { deletedOldMembers } from './old-members.ts';
import { pinnedDigests } from './pins.ts';
import { type EvictionInput, type EvictionPlan, evictionPlan, isAboveMark } from './plan.ts';
import { storedGraph } from './stored-graph.ts';
import { eachUse } from './usage.ts';

/** What a plan is made for: plain data, which another thread can be told. */
export interface PlanQuestion
  extends Pick<EvictionInput, 'maxBytes' | 'highPercent' | 'lowPercent' | 'graceMs' | 'now'> {
  /** The uses that are not on record yet, milliseconds since the epoch. */
  readonly uses: readonly (readonly [Digest, number])[];
  /** What is read or filled now. */
  readonly inUse: readonly Digest[];
  /** Membership of content that is not stored goes at this age, milliseconds; undefined: stays. */
  readonly keepMembersMs: number | undefined;
}

/** What a store holds, and above the high mark what to delete. */
export interface Planned {
  readonly blobs: number;
  readonly bytes: number;
  readonly plan?: EvictionPlan;
}

/** Walks a store, and decides. Rejects if an input cannot be read, and with the signal's reason. */
export type Planner = (question: PlanQuestion, signal: AbortSignal) => Promise<Planned>;

interface PlannerOptions {
  readonly store: Pick<Store, 'blobs' | 'records'>;
  readonly pins: readonly TagTest[];
}

/** A planner in this thread. A store below its mark is only counted, and nothing is remembered. */
export function createPlanner({ store, pins }: PlannerOptions): Planner {
  return async (question, signal) => {
    const held = await measured(store.blobs.list({ signal }));
    if (!isAboveMark(held.bytes, question)) return held;
    const inventory = await inventoryOf(store.blobs.list({ signal }));
    const inUse = new Set(question.inUse);
    const plan = evictionPlan({
      ...question,
      inventory,
      references: await storedGraph(store.blobs, inventory, { signal }),
      pinned: await pinnedDigests(store.records, pins, signal),
      usedAt: await latestUses(store, question, { inventory, signal }),
      isInUse: (digest) => inUse.has(digest),
    });
    const gone = new Set(plan.delete.map(({ digest }) => digest));
    await forgetMembers(store, question, { inventory, signal, gone });
    return { ...held, plan };
  };
}

interface WalkedStore {
  readonly inventory: Inventory;
  readonly signal: AbortSignal;
}

/**
 * By index; what was never served counts as used when it was stored. A use whose time has not come
 * yet, by a clock that was wrong, is a late one, and does not hold the content until that time.
 */
async function latestUses(
  { records }: PlannerOptions['store'],
  { graceMs, now, uses }: PlanQuestion,
  { inventory, signal }: WalkedStore,
): Promise<Float64Array> {
  const believed = (at: number): number => (Number.isFinite(ageMs(at, now)) ? at : now - graceMs);
  const latest = inventory.storedAt.map(believed);
  const note = (digest: Digest, usedAt: number): void => {
    const index = inventory.indexOf(digest);
    if (index !== undefined) latest[index] = Math.max(latest[index] ?? 0, believed(usedAt));
  };
  await eachUse(records, note, signal);
  for (const [digest, usedAt] of uses) note(digest, usedAt);
  return latest;
}

/** What is about to go counts as gone: where it stays, its upstream is asked again, once. */
async function forgetMembers(
  { records }: PlannerOptions['store'],
  { keepMembersMs, now }: PlanQuestion,
  { inventory, signal, gone }: WalkedStore & { readonly gone: ReadonlySet<Digest> },
): Promise<void> {
  if (keepMembersMs === undefined) return;
  const isHeld = (digest: Digest): boolean => inventory.indexOf(digest) !== undefined && !gone.has(digest);
  await deletedOldMembers(records, { isHeld, before: now - keepMembersMs, signal });
}
