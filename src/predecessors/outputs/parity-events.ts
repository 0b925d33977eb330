import type { ClusterEvents } from '../../auth/clusters/cluster.ts';
import type { Log } from '../../telemetry/log.ts';
import type { UpstreamEvents } from '../../upstream/upstream.ts';
import { nanoseconds, type ParityLine } from './parity-log.ts';

type Reported = Pick<ClusterEvents, 'reviewed'> & Pick<UpstreamEvents, 'requested'>;

/** The same events, with the lines of `qci-appci` on token reviews and the robot's token. */
export function parityLogged<Events extends Reported>(events: Events, log: Log): Events {
  const own = parityComponent(log);
  const reviews = own.child({ subComponent: 'simpleClusterTokenService' });
  const maintainer = own.child({ subComponent: 'robotTokenMaintainer' });
  return {
    ...events,
    reviewed(event) {
      events.reviewed(event);
      if (event.kind !== 'token') return;
      const { outcome, subject: username = '', seconds } = event;
      const fields = { username, validated: outcome === 'yes', duration: nanoseconds(seconds) };
      reviews.debug(fields, 'Validated token');
    },
    requested(event) {
      events.requested(event);
      if (event.kind !== 'token') return;
      maintainer.info('Renewing token ...');
      if (event.status === 200) maintainer.info('Renewed token');
      else own.error({ error: `status ${event.status}` }, 'Failed to get robot token');
    },
  };
}

/** Writes the lines of requests. */
export function parityWriter(log: Log): (line: ParityLine) => void {
  const own = parityComponent(log);
  return ({ level, fields, message }) => own[level](fields, message);
}

/** The original wrote all its lines, and readers rely on them: our own level does not apply. */
function parityComponent(log: Log): Log {
  return log.child({ component: 'qci-appci' }, { level: 'trace' });
}
