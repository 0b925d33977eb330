import type { Log } from './log.ts';
import type { MeteredEvents } from './metrics.ts';

/** The same events, and log lines of those that operators read: state changes and deletions. */
export function logged(events: MeteredEvents, log: Log): MeteredEvents {
  const cache = log.child({ component: 'cache' });
  const upstream = log.child({ component: 'upstream' });
  const eviction = log.child({ component: 'eviction' });
  const scrub = log.child({ component: 'scrub' });
  const access = log.child({ component: 'access' });
  let isStoreLeftAlone = false;
  return {
    ...events,
    availabilityChanged(event) {
      events.availabilityChanged(event);
      isStoreLeftAlone = !event.isAvailable;
      if (isStoreLeftAlone)
        cache.warn(
          'S3 circuit breaker opened after repeated failures; pulls bypass the store until a probe succeeds',
        );
      else cache.info('S3 circuit breaker closed; pulls use the store again');
    },
    repaired() {
      events.repaired();
      cache.warn('a stored blob was missing, truncated or corrupt; fetching it again from the upstream');
    },
    storeFailed(event) {
      events.storeFailed(event);
      if (isStoreLeftAlone) return;
      cache.warn(
        { operation: event.operation, err: event.error },
        'the store failed; pulls continue without it',
      );
    },
    fillEnded(event) {
      events.fillEnded(event);
      const { digest, outcome } = event;
      if (outcome === 'stored') return;
      if (outcome === 'failed' || outcome === 'store')
        cache.info({ digest, outcome }, 'a download was not stored');
      else
        cache.warn(
          { digest, reason: outcome },
          'the spool has no room for a blob; it passes through and is not stored',
        );
    },
    breakerChanged(event) {
      events.breakerChanged(event);
      upstream[event.state === 'open' ? 'warn' : 'info'](
        event,
        'the circuit breaker of an upstream changed its state',
      );
    },
    reviewed(event) {
      events.reviewed(event);
      if (event.outcome !== 'failed') return;
      const { cluster, kind, failure, status, seconds } = event;
      const fields = { cluster, review: kind, failure, status, seconds };
      access.warn(fields, 'a cluster did not answer a review; requests without a remembered answer get 503');
    },
    keysFailed(event) {
      events.keysFailed(event);
      const fields = { cluster: event.cluster, err: event.error };
      access.warn(
        fields,
        'cannot fetch the keys of service account tokens; the cluster reviews each token instead',
      );
    },
    evicted(event) {
      events.evicted(event);
      eviction.info(event, 'evicted');
    },
    ran(event) {
      events.ran(event);
      const { outcome, blobs, beforeBytes, afterBytes, isStuck, kept, evictions } = event;
      const fields = { outcome, blobs, beforeBytes, afterBytes, kept, evicted: evictions.length };
      if (isStuck)
        eviction.warn(
          fields,
          'eviction finished above the low-water mark; the remaining blobs are pinned or in use',
        );
      else eviction.info(fields, 'eviction reached the low-water mark');
    },
    scrubFoundWrong(event) {
      events.scrubFoundWrong(event);
      scrub.warn(
        event,
        'a stored blob did not match its digest and was deleted; the next pull fetches it again',
      );
    },
    scrubEnded(event) {
      events.scrubEnded(event);
      scrub.info(event, 'scrub completed: every stored blob was read and verified');
    },
    scrubFailed({ error, digest }) {
      events.scrubFailed({ error, digest });
      scrub.warn({ err: error, digest }, 'the scrub was interrupted; it resumes later behind that blob');
    },
    failed(event) {
      events.failed(event);
      eviction.warn({ err: event.error }, 'an eviction run failed');
    },
  };
}
