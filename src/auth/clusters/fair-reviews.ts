import type { LoginPlaces } from '../login-places.ts';
import type { Cluster } from './cluster.ts';

/**
 * The same cluster; questions whose a token is wait for a place, and take turns by address.
 * Questions about rights do not: they are asked only about people whom the cluster knows.
 */
export function fairlyReviewed(cluster: Cluster, places: LoginPlaces): Cluster {
  return {
    ...cluster,
    review: (token, address, isKnown = false) =>
      places.run(async () => cluster.review(token), { address, isKnown }),
  };
}
