import type { LoginPlaces } from '../login-places.ts';
import type { Cluster } from './cluster.ts';
import { claimsOf } from './cluster-token.ts';

/**
 * The same cluster; questions whose a token is wait for a place, and take turns by address,
 * and at an address by the subject that the token claims: a node has many namespaces. Questions
 * about rights do not wait: they are asked only about subjects whom the cluster knows.
 */
export function fairlyReviewed(cluster: Cluster, places: LoginPlaces): Cluster {
  return {
    ...cluster,
    review: (token, address, isKnown = false) =>
      places.run(async () => cluster.review(token), {
        address,
        name: claimsOf(token)?.subject ?? '',
        isKnown,
      }),
  };
}
