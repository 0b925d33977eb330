import type { Registry } from 'prom-client';
import { inquired, measured } from './kinds.ts';
import { table } from './table.ts';

/** What the mirror of this process is asked at each scrape. */
export interface CountedMirror {
  /** The images of its queue; undefined while another process copies. */
  counts():
    | {
        readonly waiting: number;
        readonly running: number;
        readonly parked: number;
        /** When the oldest waiting one was made, milliseconds since the epoch. */
        readonly oldestAt?: number;
      }
    | undefined;
  /** How many destinations operators hold. Rejects while the store does not tell. */
  holds(): Promise<number>;
}

/** Holds are one read of the store each, and change by hand, milliseconds. */
const holdsMs = 5 * 60_000;

/**
 * Shows the queue of the process that copies, who copies, and the holds of all processes. Without a
 * mirror these series do not exist: no leader would be an alert.
 */
export function mirrorStateMetrics(
  registry: Registry,
  { now = () => performance.now(), wall = Date.now } = {},
): (mirror: CountedMirror | undefined) => void {
  return (mirror) => {
    for (const [name] of rows) registry.removeSingleMetric(name);
    if (mirror !== undefined) shown(registry, mirror, { now, wall });
  };
}

const rows = [table.mirrorLeader, table.mirrorImages, table.mirrorOldest, table.mirrorHolds] as const;

function shown(
  registry: Registry,
  mirror: CountedMirror,
  { now, wall }: { readonly now: () => number; readonly wall: () => number },
): void {
  let known: { readonly at: number; readonly count: number } | undefined;
  const leader = measured(registry, table.mirrorLeader);
  const images = measured(registry, table.mirrorImages);
  const oldest = measured(registry, table.mirrorOldest);
  const holds = inquired(registry, table.mirrorHolds);
  leader([], () => (mirror.counts() === undefined ? 0 : 1));
  for (const state of ['waiting', 'running', 'parked'] as const)
    images([state], () => mirror.counts()?.[state] ?? 0);
  oldest([], () => {
    const at = mirror.counts()?.oldestAt;
    return at === undefined ? 0 : Math.max(0, (wall() - at) / 1000);
  });
  holds([], async () => {
    if (known !== undefined && now() - known.at <= holdsMs) return known.count;
    const count = await mirror.holds();
    known = { at: now(), count };
    return count;
  });
}
