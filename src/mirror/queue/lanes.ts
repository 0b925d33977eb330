import { type Priority, priorities } from './task.ts';

/** The next to start: fair between lanes, FIFO within one. Synchronous, without a clock. */
export interface FairScheduler {
  add(lane: string, priority: Priority, key: string): void;
  remove(lane: string, priority: Priority, key: string): void;
  /** The next that may start, now counted as running in its lane; undefined when none may. */
  next(): string | undefined;
  /** A task ended: `isThrottled` limits its lane to one place until another of it succeeds. */
  leave(lane: string, isThrottled: boolean): void;
}

interface SchedulerLane {
  readonly waiting: ReadonlyMap<Priority, Set<string>>;
  running: number;
  isThrottled: boolean;
}

/**
 * A lane takes one more place only while it holds fewer than stay free. So a single lane gets half
 * of them, and the next lane always finds a free one: a registry that is slow, or waits out a 429,
 * never holds all places. A miss, for which a client waits, may take any place.
 */
export function createFairScheduler(places: number): FairScheduler {
  const known = new Map<string, SchedulerLane>();
  let running = 0;

  function lane(name: string): SchedulerLane {
    const found = known.get(name);
    if (found !== undefined) return found;
    const waiting = new Map(priorities.map((priority) => [priority, new Set<string>()]));
    const made: SchedulerLane = { waiting, running: 0, isThrottled: false };
    known.set(name, made);
    return made;
  }

  function mayStart(each: SchedulerLane, priority: Priority): boolean {
    const free = places - running;
    if (free <= 0 || each.waiting.get(priority)?.size === 0) return false;
    if (each.isThrottled) return each.running === 0;
    return priority === 'miss' || each.running < free;
  }

  return {
    add: (name, priority, key) => void lane(name).waiting.get(priority)?.add(key),
    remove: (name, priority, key) => void lane(name).waiting.get(priority)?.delete(key),
    next() {
      for (const priority of priorities) {
        const able = [...known.values()].filter((each) => mayStart(each, priority));
        const chosen = able.reduce<SchedulerLane | undefined>(emptier, undefined);
        const waiting = chosen?.waiting.get(priority);
        const [key] = waiting ?? [];
        if (chosen === undefined || key === undefined) continue;
        waiting?.delete(key);
        chosen.running += 1;
        running += 1;
        return key;
      }
      return undefined;
    },
    leave(name, isThrottled) {
      const left = lane(name);
      left.running -= 1;
      left.isThrottled = isThrottled;
      running -= 1;
    },
  };
}

function emptier(least: SchedulerLane | undefined, each: SchedulerLane): SchedulerLane {
  return least === undefined || each.running < least.running ? each : least;
}
