// Room `drill/table`: the faults, each with what it is to do to a fleet. In: a stand. Out: a fault
// that began, and how it ends. Imports: base, drill, drill/fronts, drill/stand.

import type { FaultLayer } from '../drill.ts';
import type { DrillStand } from '../stand/stand.ts';
import { bucketDrills } from './bucket.ts';
import { clockDrills } from './clock.ts';
import { clusterDrills } from './cluster.ts';
import { diskDrills } from './disk.ts';
import { networkDrills, processDrills } from './machine.ts';
import { mirrorDrills } from './mirror.ts';
import { upstreamDrills } from './upstream.ts';

/** A fault that has begun. */
export interface FaultInForce {
  end(): unknown;
  /**
   * How many requests, connections or processes have met it so far; asked before it ends. 0: it
   * proves nothing. Left out: it cannot be told.
   */
  met?(): number | Promise<number>;
}

/** One row of the table. */
export interface Drill {
  readonly name: string;
  readonly layer: FaultLayer;
  /** What is done, for people. */
  readonly fault: string;
  /** What it needs and this stand has not; undefined: it can be played. */
  readonly lacks?: (stand: DrillStand) => string | undefined;
  /** Begins the fault. */
  start(stand: DrillStand): Promise<FaultInForce>;
  /**
   * Pulls that may fail: of what is not stored, as only the troubled server has it, or all. Default
   * `none`.
   */
  readonly excuses?: 'none' | 'cold' | 'all';
  /** The conditions and the alerts that are to notice it. */
  readonly conditions: readonly string[];
  readonly alerts: readonly string[];
  /** How much longer than before a warm pull may take, milliseconds. Default: no limit. */
  readonly mostWarmMs?: number;
  /** How long it lasts at least, milliseconds. Default: as long as all. */
  readonly holdMs?: number;
  /** Another cache takes part where there is one. */
  readonly takesOther?: true;
  /** Part of the short form. */
  readonly isShort?: true;
}

/** All drills, in their order. */
export const drills: readonly Drill[] = [
  ...upstreamDrills,
  ...bucketDrills,
  ...clusterDrills,
  ...diskDrills,
  ...processDrills,
  ...clockDrills,
  ...networkDrills,
  ...mirrorDrills,
];
