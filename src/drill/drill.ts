// Room `drill`: what a drill is, and what it found, as the rooms in it share it. In: nothing. Out:
// types. Imports: base.

/** Where a fault is. */
export type FaultLayer = 'upstream' | 's3' | 'cluster' | 'disk' | 'process' | 'clock' | 'network' | 'mirror';

/** A pull of a client during a drill. */
export interface DrillPull {
  /** When it began, milliseconds since the beginning of the drill. */
  readonly atMs: number;
  readonly tookMs: number;
  /** Whether the fleet had stored the image before the drill. */
  readonly isWarm: boolean;
  /** Why it failed, after all tries of its client; undefined: it came whole. */
  readonly error?: string;
}

/** How a drill went. Plain JSON; times since the beginning of the fault, milliseconds. */
export interface DrillOutcome {
  readonly name: string;
  readonly layer: FaultLayer;
  /** What was done. */
  readonly fault: string;
  /** Why it was not played; the rest is empty then. */
  readonly skipped?: string;
  /**
   * How many requests, connections or processes met the fault while it was in force; undefined: it
   * cannot be told.
   */
  readonly met?: number;
  readonly pulls: number;
  /** Pulls that failed though content, login and way were there. */
  readonly failedOwn: number;
  /** Pulls of what only the troubled server has. */
  readonly failedExcused: number;
  /** One of each kind of failure. */
  readonly errors: readonly string[];
  /** The slowest warm pull while the fault lasted, and before it. */
  readonly warmMs: { readonly before: number; readonly during: number };
  /** Contents of other bytes than their digest says: whole answers, and in the store. */
  readonly wrongDelivered: readonly string[];
  readonly wrongStored: number;
  /** Answers that were cut because of wrong bytes, and that clients refused by the digest. */
  readonly refusedByClients: number;
  /** What noticed it first, by name: conditions of a replica, alerts. */
  readonly noticed: Readonly<Record<string, number>>;
  /** From the end of the fault until each replica served warm and cold pulls; undefined: never. */
  readonly wellMs?: number;
  /** What was wrong last, after the fault. */
  readonly unwell?: string;
  readonly mirror: { readonly ordered: number; readonly lost: number };
  /**
   * How long the drill's own process, with the clients and all fronts, stood still at most,
   * milliseconds. Where that is long, times are the machine's.
   */
  readonly stalledMs: number;
  /** Processes that ended and were started again. */
  readonly restarts: number;
  /** The other cache beside us, where it takes part. */
  readonly beside?: {
    readonly pulls: number;
    readonly failed: number;
    readonly wrongDelivered: number;
    readonly wellMs?: number;
  };
  /** The bars that it missed, a sentence each. */
  readonly objections: readonly string[];
}

/** A whole run. Plain JSON. */
export interface DrillResult {
  readonly format: 'quayside drill 1';
  readonly startedAt: string;
  readonly tookMs: number;
  readonly form: 'short' | 'long';
  readonly machine: string;
  readonly fleet: string;
  /** What could not be had, a sentence each. */
  readonly limits: readonly string[];
  /** The alerts that are shipped; undefined where none could fire. */
  readonly alerts?: readonly string[];
  /** It was ended before all were played: these were. */
  readonly isInterrupted?: true;
  readonly outcomes: readonly DrillOutcome[];
}
