import { type ConditionFinding, type ConditionSource, longInertiaMs } from '../../conditions/condition.ts';
import type { MirrorActivity } from '../mirror/state.ts';
import { bad, good } from './findings.ts';

/** A task that waits for longer shows that the queue does not keep up, milliseconds. */
const behindMs = 3_600_000;

/** Who copies, whether the queue keeps up, and what no longer is tried. */
export function mirrorSources(
  state: () => MirrorActivity,
  wall: () => number = Date.now,
): readonly ConditionSource[] {
  return [
    {
      kinds: [
        { type: 'MirrorLease', effect: 'degrades', inertiaMs: longInertiaMs },
        { type: 'MirrorQueue', effect: 'none', inertiaMs: longInertiaMs },
        { type: 'MirrorNothingParked', effect: 'none', inertiaMs: longInertiaMs },
      ],
      everyMs: 15_000,
      look() {
        const current = state();
        return [leaseFinding(current), queueFinding(current, wall()), parkedFinding(current)];
      },
    },
  ];
}

function leaseFinding({ lease, error }: MirrorActivity): ConditionFinding {
  if (lease === 'failed')
    return bad('the lease of the mirror cannot be read or renewed', error, 'LeaseFailed');
  return lease === 'held' ? good('Held', 'this process copies') : elsewhere;
}

const elsewhere = good('HeldByAnother', 'another process copies, or will soon');

function queueFinding({ tasks }: MirrorActivity, now: number): ConditionFinding {
  if (tasks === undefined) return elsewhere;
  const { waiting, running, oldestAt } = tasks;
  const message = `${waiting} images wait, ${running} are copied`;
  if (oldestAt === undefined || now - oldestAt < behindMs) return good('KeepsUp', message);
  const minutes = Math.floor((now - oldestAt) / 60_000);
  return {
    status: 'False',
    reason: 'Behind',
    message: `${message}; the oldest has waited for ${minutes} min`,
  };
}

function parkedFinding({ tasks }: MirrorActivity): ConditionFinding {
  if (tasks === undefined) return elsewhere;
  const { parked, example } = tasks;
  if (example === undefined) return good('NothingParked', 'no image is parked');
  const count = parked === 1 ? '1 image is parked:' : `${parked} images are parked, such as`;
  const { destination, reason } = example;
  const named = reason.startsWith(destination) ? reason : `${destination}: ${reason}`;
  const message = `${count} ${named}`;
  return { status: 'False', reason: 'Parked', message: message.slice(0, 500) };
}
