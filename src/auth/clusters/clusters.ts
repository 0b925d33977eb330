// Room `auth/clusters`: who has a token and what may they, by TokenReview and SubjectAccessReview.
// In: tokens, subjects and questions. Out: answers, remembered for a while; UNAVAILABLE where a
// cluster does not answer. Imports: auth, auth/tokens, base, oci; types of kubernetes.

import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { createLru } from '../../base/state/lru.ts';
import type { Authenticator, Credential, Subject } from '../access.ts';
import type { Judge, RememberedCluster } from './cluster.ts';
import { claimsOf, mayBeToken } from './cluster-token.ts';
import { firstKnown } from './first-known.ts';
import { createKeyedHash } from './keyed-hash.ts';

export interface ClustersOptions {
  /** Issuers of service account tokens by cluster: the only one that a token goes to. */
  readonly issuers?: Readonly<Record<string, string>>;
  /** How long a cluster may be silent before the next one is asked too, in ms. Default 1,000. */
  readonly patienceMs?: number;
}

/** Combines clusters: any authenticates a token, only the subject's own authorizes it. */
export interface Clusters extends Authenticator, Judge {
  forget(): void;
}

/** Tokens of which is kept who knew them. */
const mostHomes = 10_000;

/**
 * Asks in the order of the list, but first the cluster that accepted the token before. The token is
 * the password of a login with any user name. A cluster that does not answer does not block users
 * of another; a cluster that is not in the list grants no rights.
 */
export function createClusters(list: readonly RememberedCluster[], options: ClustersOptions = {}): Clusters {
  const { issuers = {}, patienceMs = 1000 } = options;
  const byName = new Map(list.map((cluster) => [cluster.name, cluster]));
  const owned = new Set(Object.values(issuers));
  const homes = createLru<string, RememberedCluster>(mostHomes);
  const hashOf = createKeyedHash();

  /** The clusters that may know the token, the likeliest first. */
  function candidates(token: string, home: RememberedCluster | undefined): readonly RememberedCluster[] {
    const issuer = claimsOf(token)?.issuer;
    const isOwned = issuer !== undefined && owned.has(issuer);
    const all = isOwned ? list.filter(({ name }) => issuers[name] === issuer) : list;
    return home !== undefined && all.includes(home) ? [home, ...all.filter((one) => one !== home)] : all;
  }

  function authenticate(credential: Credential, address?: string): MaybePromise<Subject | undefined> {
    const token = tokenOf(credential);
    if (!mayBeToken(token)) return undefined;
    const key = hashOf(token);
    const settled = (subject: Subject | undefined): Subject | undefined => {
      const home = byName.get(subject?.cluster ?? '');
      if (home !== undefined && homes.get(key) !== home) homes.set(key, home);
      return subject;
    };
    const answer = firstKnown(candidates(token, homes.get(key)), token, { patienceMs, address });
    return answer instanceof Promise ? answer.then(settled) : settled(answer);
  }

  return {
    authenticate,
    ask: (subject, question) =>
      byName.get(subject.cluster ?? '')?.ask(subject, question) ?? { allowed: false },
    recall: (subject, question) => byName.get(subject.cluster ?? '')?.recall(subject, question),
    wasAllowed: (subject, question) =>
      byName.get(subject.cluster ?? '')?.wasAllowed?.(subject, question) ?? false,
    wasAllowedIn: (subject, namespace) =>
      byName.get(subject.cluster ?? '')?.wasAllowedIn?.(subject, namespace) ?? false,
    forget() {
      homes.clear();
      for (const cluster of list) cluster.forget();
    },
  };
}

/**
 * `oc whoami` of the first administrator is `kube:admin`, which Basic splits into user `kube` and
 * password `admin:sha256~…`. No token has a colon.
 */
function tokenOf(credential: Credential): string {
  if (credential.kind === 'bearer') return credential.token;
  const { password } = credential;
  return /:sha256~[^:]*$/.test(password) ? password.slice(password.lastIndexOf(':') + 1) : password;
}
