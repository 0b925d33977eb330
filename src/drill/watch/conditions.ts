// Room `drill/watch`: what clients, operators and the store see of a drill. In: a stand. Out:
// pulls, conditions, alerts, wrong bytes, lost tasks. Imports: base, conditions, drill,
// drill/fronts, drill/stand, load, load/client, load/images, load/verify, oci.

import { jsonOrNone } from '../../base/text/json.ts';
import { hasSlept } from '../../base/time/wait.ts';
import { conditionText, isFault } from '../../conditions/condition.ts';
import { parseReport } from '../../conditions/report-text.ts';
import type { FleetReplica } from '../stand/replica.ts';

/** Sees faults come, until it is closed. */
export interface FaultWatch {
  /** The first time at which each was seen, by its name. */
  readonly seen: ReadonlyMap<string, number>;
  /**
   * Forgets all of it, and counts from now on. What is there `already` counts where a look no
   * longer found it before it came again.
   */
  restart(already?: Iterable<string>): void;
  close(): Promise<void>;
}

const everyMs = 500;

/** What a look finds wrong, by name. */
type FaultLook = (signal: AbortSignal) => Promise<readonly string[]>;

/** Looks twice a second. `now`: since the beginning of the drill. */
export function createFaultWatch(looks: readonly FaultLook[], now: () => number): FaultWatch {
  const ending = new AbortController();
  const seen = new Map<string, number>();
  let sinceMs = now();
  let already: readonly string[] = [];
  const watch = async (look: FaultLook): Promise<void> => {
    let stale: readonly string[] = [];
    let staleOf = already;
    while (await hasSlept(everyMs, ending.signal)) {
      const began = sinceMs;
      const found = await look(ending.signal).catch(() => undefined);
      if (found === undefined || began !== sinceMs) continue;
      stale = (staleOf === already ? stale : already).filter((name) => found.includes(name));
      staleOf = already;
      for (const name of found) if (!stale.includes(name) && !seen.has(name)) seen.set(name, now() - sinceMs);
    }
  };
  const watching = looks.map(watch);
  return {
    seen,
    restart(names = []) {
      already = [...names];
      seen.clear();
      sinceMs = now();
    },
    async close() {
      ending.abort();
      await Promise.all(watching);
    },
  };
}

/** The conditions of a replica that are faults, and count. */
export function conditionsOf({ admin }: Pick<FleetReplica, 'admin'>): FaultLook {
  return async (signal) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(2_000)]);
    const answer = await fetch(`${admin}/statusz?format=json`, { signal: limit });
    const report = parseReport(jsonOrNone(await answer.text()));
    const parts = report?.parts ?? [];
    return parts.filter((part) => isFault(part)).map((part) => conditionText(part).split(' ', 1).join(''));
  };
}
