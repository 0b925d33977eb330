// Room `telemetry`: the log, its lines of events, and the trace of a request; `metrics/` counts.
// In: events of all other rooms. Out: lines. Imports: base, conditions; types of cache, fleet,
// image-streams/index, proxy, store, store/sending, telemetry/metrics,
// upstream, upstream/helpers.

import { mediumFault } from '../base/state/medium-fault.ts';
import type { FillOutcome, RoomRefusal } from '../cache/events.ts';
import { type ConditionPublisher, isFault } from '../conditions/condition.ts';
import type { StreamIndexEvents } from '../image-streams/index/events.ts';
import type { KernelSendState } from '../store/sending/events.ts';
import { fleetLines } from './fleet-log.ts';
import type { Log } from './log.ts';
import type { MeteredEvents } from './metrics/metrics.ts';

/** The same events, and log lines of those that operators read: state changes and deletions. */
export function logged(events: MeteredEvents, log: Log): MeteredEvents {
  const proxy = log.child({ component: 'proxy' });
  const cache = log.child({ component: 'cache' });
  const upstream = log.child({ component: 'upstream' });
  const eviction = log.child({ component: 'eviction' });
  const scrub = log.child({ component: 'scrub' });
  const access = log.child({ component: 'access' });
  let isStoreLeftAlone = false;
  return {
    ...events,
    ...streamLines(events, log.child({ component: 'streams' })),
    ...fleetLines(events, log.child({ component: 'fleet' })),
    availabilityChanged(event) {
      events.availabilityChanged(event);
      isStoreLeftAlone = !event.isAvailable;
      if (isStoreLeftAlone)
        cache.warn(
          { fault: mediumFault(event.error), err: event.error },
          'S3 circuit breaker opened after repeated failures; pulls bypass the store until a probe succeeds',
        );
      else cache.info('S3 circuit breaker closed; pulls use the store again');
    },
    usabilityChanged(event) {
      events.usabilityChanged?.(event);
      if (event.isUsable) cache.info('the check of the store succeeds again');
      else cache.warn({ err: event.error }, 'the check of the store failed: it wrote and read a small file');
    },
    spoolUsabilityChanged(event) {
      events.spoolUsabilityChanged?.(event);
      if (event.isUsable) cache.info('the spool directory can be written again');
      else
        cache.warn(
          { err: event.error },
          'the spool directory cannot be written; blobs pass through and are not stored',
        );
    },
    diskUsabilityChanged(event) {
      events.diskUsabilityChanged(event);
      if (event.isUsable) cache.info('the disk before the bucket can be written again');
      else
        cache.warn(
          { fault: mediumFault(event.error), err: event.error },
          'the disk before the bucket cannot be written; pulls continue from S3',
        );
    },
    kernelSendKnown(event) {
      events.kernelSendKnown(event);
      const { state, error } = event;
      if (state === 'library') proxy.warn({ err: error }, kernelSendTexts[state]);
      else proxy.info(kernelSendTexts[state]);
    },
    diskFailed(event) {
      events.diskFailed(event);
      const { operation, error } = event;
      if (operation === 'read')
        cache.warn(
          { err: error },
          'a copy on the disk before the bucket cannot be read; S3 delivers instead',
        );
    },
    repaired() {
      events.repaired();
      cache.warn('a stored blob was missing, truncated or corrupt; fetching it again from the upstream');
    },
    storeFailed(event) {
      events.storeFailed(event);
      if (isStoreLeftAlone) return;
      const fault = mediumFault(event.error);
      cache.warn(
        { operation: event.operation, fault, err: event.error },
        fault === 'disk-full'
          ? 'the disk of the store is full (ENOSPC); pulls continue and are not stored'
          : 'the store failed; pulls continue without it',
      );
    },
    fillEnded(event) {
      events.fillEnded(event);
      const { upstream: registry, digest, outcome, error, requestId } = event;
      if (outcome === 'stored' || outcome === 'followed') return;
      const fields = { requestId, upstream: registry, digest, reason: outcome };
      if (isRoomRefusal(outcome))
        cache.warn(fields, 'the spool has no room for a blob; it passes through and is not stored');
      else
        cache[outcome === 'failed' || outcome === 'store' ? 'info' : 'warn'](
          { ...fields, message: messageOf(error), err: error },
          'a download was not stored',
        );
    },
    reachabilityChanged(event) {
      events.reachabilityChanged?.(event);
      const { isReachable, error, ...fields } = event;
      if (isReachable) upstream.info(fields, 'an upstream answers again');
      else upstream.warn({ ...fields, err: error }, 'an upstream does not answer GET /v2/');
    },
    readinessChanged(event) {
      events.readinessChanged?.(event);
      if (event.isReady) proxy.info({ parts: event.parts }, 'ready again: one part can serve');
      else proxy.warn({ parts: event.parts }, 'not ready: neither the store nor an upstream can serve');
    },
    waitFailed({ destination, error }) {
      events.waitFailed?.({ destination, error });
      upstream.warn(
        { destination, err: error },
        'cannot ask whether a missing tag has been copied; it is answered from its source',
      );
    },
    throttled(event) {
      events.throttled?.(event);
      upstream.warn(event, 'an upstream throttles; nothing of that kind is asked for so long');
    },
    helperRefused(event) {
      events.helperRefused?.(event);
      upstream.warn(
        event,
        'a file names a credential helper that is not run; the registry is asked without its login',
      );
    },
    helperAsked(event) {
      events.helperAsked?.(event);
      const { outcome, error, ...fields } = event;
      if (outcome === 'failed')
        upstream.warn({ ...fields, err: error }, 'a credential helper failed; requests that need it get 503');
    },
    breakerChanged(event) {
      events.breakerChanged(event);
      const { error, ...fields } = event;
      upstream[event.state === 'open' ? 'warn' : 'info'](
        { ...fields, ...(error === undefined ? {} : { err: error }) },
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

const kernelSendTexts: Readonly<Record<KernelSendState['state'], string>> = {
  on: 'the kernel sends blobs to clients without TLS (sendfile)',
  off: 'this process sends blobs itself: sendfile is false',
  tls: 'this process sends blobs itself, since it encrypts them (tls)',
  system: 'this process sends blobs itself: sendfile needs Linux on a machine of 64 bits',
  library:
    'this process sends blobs itself, for more processor time: the optional package koffi cannot be loaded; install it, or set sendfile: false',
};

/** A line for each condition whose status is another one. */
export function conditionLog(log: Log): ConditionPublisher {
  const own = log.child({ component: 'conditions' });
  return {
    publish(_report, changed) {
      for (const condition of changed) {
        const { type, name, status, reason, message: why } = condition;
        const fields = { condition: type, name, status, reason, why };
        if (isFault(condition)) own.warn(fields, 'a condition changed: something is wrong, or under way');
        else own.info(fields, 'a condition changed');
      }
    },
    close: async () => {},
  };
}

/** Of the index of image streams. */
function streamLines(events: StreamIndexEvents, streams: Log): Partial<StreamIndexEvents> {
  const full = new Set<string>();
  return {
    streamStateChanged(event) {
      events.streamStateChanged(event);
      const isWell = event.state === 'syncing' || event.state === 'synced';
      streams[isWell ? 'info' : 'warn'](event, 'the index of image streams changed its state');
    },
    streamsListed(event) {
      events.streamsListed(event);
      streams.info(event, 'image streams listed');
    },
    streamsFailed({ error, ...event }) {
      events.streamsFailed({ error, ...event });
      streams.warn({ ...event, err: error }, 'cannot list or watch image streams; retrying');
    },
    streamsSized(event) {
      events.streamsSized(event);
      if (event.refused === 0 || full.has(event.cluster)) return;
      full.add(event.cluster);
      streams.warn(event, 'the index of image streams is full; it takes in no more of untrusted namespaces');
    },
    streamsKept(event) {
      events.streamsKept(event);
      const { error, outcome, ...fields } = event;
      if (outcome === 'failed')
        streams.warn({ ...fields, err: error }, 'cannot keep the index of image streams');
      if (outcome === 'broken')
        streams.warn({ ...fields, err: error }, 'a record of the index of image streams cannot be used');
    },
  };
}

function isRoomRefusal(outcome: FillOutcome): outcome is RoomRefusal {
  return outcome === 'spool-full' || outcome === 'too-large' || outcome === 'too-slow';
}

function messageOf(error: unknown): string | undefined {
  return error instanceof Error ? error.message : undefined;
}
