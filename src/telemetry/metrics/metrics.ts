// Room `telemetry/metrics`: what is counted, and the page that shows it. In: events of all other
// rooms. Out: numbers. Imports: base, conditions; types of auth, auth/clusters, cache,
// cache/eviction, cache/scrub, fleet, image-streams/index, mirror, mirror/fallback, proxy, store,
// store/disk-tier, store/sending, upstream, upstream/helpers.

import { Registry } from 'prom-client';
import type { SearchEvents } from '../../auth/access.ts';
import type { ClusterEvents } from '../../auth/clusters/cluster.ts';
import { mediumFault } from '../../base/state/medium-fault.ts';
import type { CacheEvents } from '../../cache/events.ts';
import type { EvictionEvents } from '../../cache/eviction/evictor.ts';
import type { ScrubEvents } from '../../cache/scrub/pass.ts';
import type { ConditionPublisher } from '../../conditions/condition.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import type { StreamIndexEvents } from '../../image-streams/index/events.ts';
import type { MirrorEvents, WorkqueueEvents } from '../../mirror/events.ts';
import type { MissEvents } from '../../mirror/fallback/fallback.ts';
import type { ProxyEvents } from '../../proxy/events.ts';
import type { DiskTierEvents } from '../../store/disk-tier/events.ts';
import type { SendingEvents } from '../../store/sending/events.ts';
import type { StoreEvents } from '../../store/store.ts';
import type { HelperEvents } from '../../upstream/helpers/helpers.ts';
import type { UpstreamEvents } from '../../upstream/upstream.ts';
import { clusterEvents, streamEvents } from './clusters.ts';
import { conditionMetrics } from './conditions.ts';
import { type Exemplar, ExemplarRegistry, type ShownMetrics, shownBy, valuesOf } from './exemplars.ts';
import { factMetrics, type ServiceFacts } from './facts.ts';
import { diskEvents, sendingEvents } from './files.ts';
import { fleetEvents } from './fleet.ts';
import { counter, gauge, histogram, measured, showProcess } from './kinds.ts';
import { type CountedMirror, mirrorStateMetrics } from './mirror.ts';
import { table } from './table.ts';

/** Everything that the parts of Quayside report. */
export type MeteredEvents = CountedEvents & MirrorEvents & WorkqueueEvents;

/** What is turned into numbers here; the mirror's events are counted beside. */
type CountedEvents = CacheEvents &
  UpstreamEvents &
  HelperEvents &
  StoreEvents &
  DiskTierEvents &
  SendingEvents &
  ProxyEvents &
  EvictionEvents &
  ScrubEvents &
  ClusterEvents &
  SearchEvents &
  StreamIndexEvents &
  MissEvents &
  FleetEvents;

export interface Metrics extends ShownMetrics {
  readonly events: CountedEvents;
  readonly registry: Registry;
  /** Counts the conditions. */
  readonly conditions: ConditionPublisher;
  /** Shows the build, its limits and the room of its disks from now on. */
  describe(facts: ServiceFacts): void;
  /** Shows the queue of the mirror from now on; undefined for none. */
  mirror(mirror: CountedMirror | undefined): void;
  /** The certificate of `tls` expires then, milliseconds since the epoch. */
  certificate(notAfter: number): void;
  /** All metrics as plain values, to be added up with those of other workers. */
  values(): Promise<unknown>;
}

/**
 * A registry of its own, with Node's default metrics (event loop, heap, GC) beside ours.
 * `exemplar`: what an observation that is made now comes from. Default: no exemplars.
 */
export function createMetrics(exemplar?: () => Exemplar | undefined): Metrics {
  const registry = exemplar === undefined ? new Registry() : new ExemplarRegistry(exemplar);
  showProcess(registry);
  const { describe, wrongContent } = factMetrics(registry);
  const certificate = gauge(registry, table.certificateEnd);
  return {
    registry,
    conditions: conditionMetrics(registry),
    describe,
    mirror: mirrorStateMetrics(registry),
    certificate(notAfter) {
      certificate().value = notAfter / 1000;
    },
    events: {
      ...proxyEvents(registry),
      ...cacheEvents(registry),
      ...storeEvents(registry),
      ...diskEvents(registry),
      ...sendingEvents(registry),
      ...scrubEvents(registry),
      ...upstreamEvents(registry),
      ...clusterEvents(registry),
      ...helperEvents(registry),
      ...missEvents(registry),
      ...streamEvents(registry),
      ...fleetEvents(registry),
      ...byteEvents(registry),
      wrongContent,
    },
    values: () => valuesOf(registry),

    ...shownBy(registry),
  };
}

function proxyEvents(registry: Registry): Omit<ProxyEvents, 'sent'> {
  const requests = counter(registry, table.requests);
  const firstByte = histogram(registry, table.firstByte);
  const duration = histogram(registry, table.duration);
  const running = measured(registry, table.running);
  const waiting = measured(registry, table.waiting);
  const limited = counter(registry, table.limited);
  const idleClients = counter(registry, table.idleClients);
  const refused = counter(registry, table.refused);
  const tokens = counter(registry, table.tokens);
  return {
    answered({ kind, status, firstByteSeconds, totalSeconds }) {
      requests(kind, status).value += 1;
      firstByte(kind).observe(firstByteSeconds);
      duration(kind).observe(totalSeconds);
    },
    limitOpened(event) {
      running([event.limit], event.running);
      waiting([event.limit], event.waiting);
    },
    limitRefused({ limit, reason }) {
      limited(limit, reason).value += 1;
    },
    idleClientCut() {
      idleClients().value += 1;
    },
    accessRefused({ reason }) {
      refused(reason).value += 1;
    },
    tokenIssued() {
      tokens().value += 1;
    },
  };
}

function cacheEvents(registry: Registry): CacheEvents {
  const reads = counter(registry, table.reads);
  const fills = counter(registry, table.fills);
  const storedBytes = counter(registry, table.storedByFills);
  const notKept = counter(registry, table.notKept);
  const filling = gauge(registry, table.filling);
  const joined = counter(registry, table.joined);
  const spool = gauge(registry, table.spool);
  const repaired = counter(registry, table.repaired);
  const failures = counter(registry, table.storeFailures);
  return {
    read({ kind, hit }) {
      reads(kind, hit).value += 1;
    },
    fillStarted() {
      filling().value += 1;
    },
    fillEnded({ outcome, bytes = 0 }) {
      filling().value -= 1;
      const isKnown = outcome === 'stored' || outcome === 'followed' || outcome === 'failed';
      fills(isKnown ? outcome : 'not-kept').value += 1;
      storedBytes().value += bytes;
      if (!isKnown) notKept(outcome).value += 1;
    },
    joined() {
      joined().value += 1;
    },
    spoolChanged({ bytes }) {
      spool().value = bytes;
    },
    repaired() {
      repaired().value += 1;
    },
    storeFailed({ operation, error }) {
      failures(operation, mediumFault(error)).value += 1;
    },
  };
}

function storeEvents(registry: Registry): StoreEvents & EvictionEvents {
  const calls = counter(registry, table.s3Calls);
  const seconds = histogram(registry, table.s3Seconds);
  const available = gauge(registry, table.storeAvailable);
  available().value = 1;
  const storeBytes = gauge(registry, table.storeBytes);
  const storeBlobs = gauge(registry, table.storeBlobs);
  const evictions = counter(registry, table.evictions);
  const evicted = counter(registry, table.evicted);
  return {
    called(event) {
      calls(event.operation, event.outcome).value += 1;
      seconds(event.operation).observe(event.seconds);
    },
    availabilityChanged({ isAvailable }) {
      available().value = isAvailable ? 1 : 0;
    },
    measured({ blobs, bytes }) {
      storeBlobs().value = blobs;
      storeBytes().value = bytes;
    },
    evicted() {
      evicted().value += 1;
    },
    ran() {
      evictions('done').value += 1;
    },
    failed() {
      evictions('failed').value += 1;
    },
  };
}

function scrubEvents(registry: Registry): ScrubEvents {
  const read = counter(registry, table.scrubbed);
  const wrong = counter(registry, table.scrubWrong);
  const failures = counter(registry, table.scrubFailures);
  const completed = gauge(registry, table.scrubCompleted);
  return {
    scrubbed({ bytes }) {
      read().value += bytes;
    },
    scrubFoundWrong() {
      wrong().value += 1;
    },
    scrubEnded({ endedAt }) {
      completed().value = endedAt / 1000;
    },
    scrubFailed() {
      failures().value += 1;
    },
  };
}

function upstreamEvents(registry: Registry): Omit<UpstreamEvents, 'received'> {
  const requests = counter(registry, table.upstreamRequests);
  const seconds = histogram(registry, table.upstreamSeconds);
  const retries = counter(registry, table.retries);
  const breaker = gauge(registry, table.breaker);
  return {
    requested(event) {
      requests(event.upstream, event.kind, event.status).value += 1;
      seconds(event.upstream, event.kind).observe(event.seconds);
    },
    retried({ upstream, reason }) {
      retries(upstream, reason).value += 1;
    },
    breakerChanged({ upstream, state }) {
      for (const each of ['closed', 'open', 'half-open'] as const) {
        breaker(upstream, each).value = each === state ? 1 : 0;
      }
    },
  };
}

function helperEvents(registry: Registry): HelperEvents {
  const runs = counter(registry, table.helperRuns);
  return {
    helperAsked({ outcome }) {
      runs(outcome).value += 1;
    },
  };
}

function missEvents(registry: Registry): MissEvents {
  const misses = counter(registry, table.misses);
  return {
    missed({ outcome }) {
      misses(outcome).value += 1;
    },
  };
}

function byteEvents(registry: Registry): Pick<ProxyEvents, 'sent'> & Pick<UpstreamEvents, 'received'> {
  const bytesOut = counter(registry, table.sent);
  const bytesIn = counter(registry, table.received);
  return {
    sent({ source, bytes }) {
      bytesOut(source).value += bytes;
    },
    received({ upstream, bytes }) {
      bytesIn(upstream).value += bytes;
    },
  };
}
