import type { Registry } from 'prom-client';
import type { SearchEvents } from '../../auth/access.ts';
import type { ClusterEvents } from '../../auth/clusters/cluster.ts';
import { counter, histogram } from './kinds.ts';
import { table } from './table.ts';

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
