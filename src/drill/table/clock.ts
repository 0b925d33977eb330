import { hasSlept } from '../../base/time/wait.ts';
import { clockAheadMs } from './evidence.ts';
import { firstOf } from './machine.ts';
import type { Drill } from './table.ts';

const dayMs = 24 * 3_600_000;

function clock(name: string, fault: string, aheadMs: number): Drill {
  return {
    name: `clock-${name}`,
    layer: 'clock',
    fault,
    async start(stand) {
      const replica = firstOf(stand);
      await replica.setClock(aheadMs);
      return {
        end: async () => {
          await replica.setClock(0);
          await hasSlept(100);
        },
        met: async () => (Math.abs(aheadMs - (await clockAheadMs(replica))) < dayMs / 2 ? 1 : 0),
      };
    },
    conditions: ['ClockInSync'],
    // A question between members that is a day old is one of a stranger.
    alerts: ['QuaysideClockOff', 'QuaysideFleetStrangers'],
  };
}

/** The wall clock of one replica; timers go on. */
export const clockDrills: readonly Drill[] = [
  clock('ahead', 'the clock of one replica is a day ahead', dayMs),
  clock('behind', 'the clock of one replica is a day behind', -dayMs),
];
