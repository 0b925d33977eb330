import type { Registry } from 'prom-client';
import type { SearchEvents } from '../../auth/access.ts';
import type { ClusterEvents } from '../../auth/clusters/cluster.ts';
import type { StreamIndexEvents } from '../../image-streams/index/events.ts';
import { counter, gauge, histogram } from './kinds.ts';
import { table } from './table.ts';

const states = ['syncing', 'synced', 'stale', 'expired'] as const;

/** Counts what the indexes of image streams report. */
export function streamEvents(registry: Registry): StreamIndexEvents {
  const state = gauge(registry, table.streamState);
  const streams = gauge(registry, table.streams);
  const digests = gauge(registry, table.streamDigests);
  const references = gauge(registry, table.streamReferences);
  const refused = counter(registry, table.streamRefused);
  const lists = counter(registry, table.streamLists);
  const failures = counter(registry, table.streamFailures);
  const looks = counter(registry, table.streamLooks);
  const records = counter(registry, table.streamRecords);
  const following = new Map<string, number>();
  return {
    streamsFollowed({ cluster }) {
      following.set(cluster, (following.get(cluster) ?? 0) + 1);
    },
    streamsLeft({ cluster }) {
      const left = (following.get(cluster) ?? 1) - 1;
      following.set(cluster, left);
      if (left > 0) return;
      for (const each of states) state(cluster, each).value = Number.NaN;
      for (const size of [streams, digests, references]) size(cluster).value = Number.NaN;
    },
    streamStateChanged(event) {
      for (const each of states) state(event.cluster, each).value = each === event.state ? 1 : 0;
    },
    streamsSized({ cluster, ...size }) {
      streams(cluster).value = size.streams;
      digests(cluster).value = size.digests;
      references(cluster).value = size.references;
      refused(cluster).value = size.refused;
    },
    streamsListed({ cluster, reason }) {
      lists(cluster, reason).value += 1;
    },
    streamsFailed({ cluster }) {
      failures(cluster).value += 1;
    },
    streamLooked({ cluster, result }) {
      looks(cluster, result).value += 1;
    },
    streamsKept({ cluster, operation, outcome }) {
      records(cluster, operation, outcome).value += 1;
    },
  };
}

/** Counts what clusters are asked for logins and rights. */
export function clusterEvents(registry: Registry): ClusterEvents & SearchEvents {
  const reviews = counter(registry, table.reviews);
  const seconds = histogram(registry, table.reviewSeconds);
  const failures = counter(registry, table.reviewFailures);
  const remembered = counter(registry, table.reviewsRemembered);
  const limited = counter(registry, table.searchesLimited);
  return {
    reviewed(event) {
      reviews(event.cluster, event.kind, event.outcome).value += 1;
      seconds(event.cluster, event.kind).observe(event.seconds);
      if (event.failure !== undefined) failures(event.cluster, event.failure).value += 1;
    },
    remembered({ cluster, kind }) {
      remembered(cluster, kind).value += 1;
    },
    keysFailed({ cluster }) {
      failures(cluster, 'keys').value += 1;
    },
    searchLimited({ cluster }) {
      limited(cluster).value += 1;
    },
  };
}
