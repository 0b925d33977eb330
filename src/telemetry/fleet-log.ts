import { createLru } from '../base/state/lru.ts';
import type { FleetEvents } from '../fleet/events.ts';
import type { Log } from './log.ts';

type FleetLines = Pick<FleetEvents, 'membersChanged' | 'memberFailed' | 'tookOver' | 'strangerRefused'>;

/** One line for each address in so long, milliseconds: a scanner must not fill the log. */
const strangerMs = 60_000;
const mostStrangers = 1_000;

/** Lines of what passes between members that an operator may have to look into. */
export function fleetLines(events: FleetLines, fleet: Log): FleetLines {
  const strangers = createLru<string, true>(mostStrangers, { keepMs: strangerMs });
  return {
    membersChanged(event) {
      events.membersChanged(event);
      fleet.info(event, 'the members of the fleet that answer changed');
    },
    memberFailed(event) {
      events.memberFailed(event);
      const { member, error } = event;
      fleet.info({ member, err: error }, 'a member of the fleet gave no answer; the pull goes on without it');
    },
    tookOver(event) {
      events.tookOver(event);
      fleet.info(event, 'a download goes on here, since the member that it followed has gone');
    },
    strangerRefused(event) {
      events.strangerRefused(event);
      if (strangers.has(event.address)) return;
      strangers.set(event.address, true);
      fleet.warn(event, 'a request at the port between members has no proof of the key, and got 404');
    },
  };
}
