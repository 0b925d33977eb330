import { type Priority, priorities } from './task.ts';

/** Who may start next: fair between lanes, first come first served within one. Nothing in it waits or knows the time. */
export interface Lanes {
  add(lane: string, priority: Priority, key: string): void;
  remove(lane: string, priority: Priority, key: string): void;
  /** The next that may start, now counted as running in its lane; undefined when none may. */
  next(): string | undefined;
  /** One that ran is done: `isThrottled` leaves its lane one place until another one of it gets through. */
  leave(lane: string, isThrottled: boolean): void;
}

interface Lane {
  readonly waiting: ReadonlyMap<Priority, Set<string>>;
  running: number;
  isThrottled: boolean;
}

/**
 * A lane takes one more of the places only while it holds fewer than stay free. So one alone comes to half of them, and
 * whoever comes next always finds a free one: a registry that is slow, or waits out a 429, never holds all places. For a miss,
 * which somebody waits for, every place is good enough.
 */
export function lanes(places: number): Lanes {
  const known = new Map<string, Lane>();
  let running = 0;

  function lane(name: string): Lane {
    const found = known.get(name);
    if (found !== undefined) return found;
    const waiting = new Map(priorities.map((priority) => [priority, new Set<string>()]));
    const made: Lane = { waiting, running: 0, isThrottled: false };
    known.set(name, made);
    return made;
  }

  function mayStart(each: Lane, priority: Priority): boolean {
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
        const chosen = able.reduce<Lane | undefined>(emptier, undefined);
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

function emptier(least: Lane | undefined, each: Lane): Lane {
  return least === undefined || each.running < least.running ? each : least;
}
