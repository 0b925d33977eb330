// Room `auth/clusters/api-server`: one Kubernetes cluster, asked each time. In: tokens, subjects
// and questions. Out: its answers, checked field by field. Imports: auth/clusters, base,
// kubernetes, oci; types of auth.

import { createKubernetesClient } from '../../../kubernetes/client.ts';
import { ApiFailure } from '../../../kubernetes/failure.ts';
import { type KubeconfigOptions, loadKubeconfig } from '../../../kubernetes/kubeconfig.ts';
import { RegistryError } from '../../../oci/errors.ts';
import type { Cluster, ClusterEvents } from '../cluster.ts';
import { accessReview, type Review, reviewedSubject, reviewedVerdict, tokenReview } from './reviews.ts';

export interface KubernetesClusterOptions extends KubeconfigOptions {
  /** In messages, events, and the subjects that it knows. */
  readonly name: string;
  /** Limit of one review, with the wait for a connection, in milliseconds. Default 3,000. */
  readonly timeoutMs?: number;
  /** Connections to its API. Default 8. */
  readonly connections?: number;
  readonly events?: Pick<Partial<ClusterEvents>, 'reviewed'>;
}

interface KubernetesCluster extends Cluster {
  /** The keys of its service account tokens, as JSON (RFC 7517). Throws `UNAVAILABLE`. */
  keySet(): Promise<string>;
}

/** An API server refuses to send its keys as plain JSON: 406. */
const keySetRequest = { path: '/openid/v1/jwks', accept: 'application/jwk-set+json' } as const;

const defaultRetryAfterSeconds = 5;
const mostRetryAfterSeconds = 60;

type Reviewed = Parameters<ClusterEvents['reviewed']>[0];

/** A cluster asked each time. Throws, in words for the operator, without address or login. */
export async function createKubernetesCluster(options: KubernetesClusterOptions): Promise<KubernetesCluster> {
  const { name, timeoutMs = 3000, connections = 8, events } = options;
  const config = await loadKubeconfig(options).catch((error: Error) => {
    throw new Error(`cluster ${name}: ${error.message}`, { cause: error });
  });
  const client = createKubernetesClient({ kubeconfig: config, timeoutMs, connections });

  async function review<Value>(
    kind: Reviewed['kind'],
    { path, body }: Review,
    read: (answer: string) => Value,
    outcome: (value: Value) => Pick<Reviewed, 'outcome' | 'subject'>,
  ): Promise<Value> {
    const startedAt = performance.now();
    const report = (event: Pick<Reviewed, 'outcome' | 'subject' | 'failure' | 'status'>) =>
      events?.reviewed?.({ cluster: name, kind, seconds: (performance.now() - startedAt) / 1000, ...event });
    try {
      const value = read(await client.text({ method: 'POST', path, body, isRepeatable: true }));
      report(outcome(value));
      return value;
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      const { kind: failure, status } = error;
      report({ outcome: 'failed', failure, ...(status === undefined ? {} : { status }) });
      throw unavailable(name, error);
    }
  }

  return {
    name,
    review: (token) =>
      review(
        'token',
        tokenReview(token),
        (answer) => reviewedSubject(answer, name),
        (subject) => (subject === undefined ? { outcome: 'no' } : { outcome: 'yes', subject: subject.name }),
      ),
    ask: (subject, question) =>
      review('access', accessReview(subject, question), reviewedVerdict, ({ allowed }) => ({
        outcome: allowed ? 'yes' : 'no',
      })),
    async keySet() {
      try {
        return await client.text(keySetRequest);
      } catch (error) {
        throw error instanceof ApiFailure ? unavailable(name, error) : error;
      }
    },
    close: () => client.close(),
  };
}

/** What a client is told of it: `UNAVAILABLE`, with `Retry-After`. */
function unavailable(cluster: string, failure: ApiFailure): RegistryError {
  const { predicate, status, kind, cause = failure } = failure;
  const remedy =
    status === 403 ? ': bind the ClusterRole system:auth-delegator to the account of this service' : '';
  const wish = failure.retryAfterSeconds ?? defaultRetryAfterSeconds;
  return new RegistryError('UNAVAILABLE', `cluster ${cluster} ${predicate}${remedy}`, {
    detail: { cluster, failure: kind },
    retryAfterSeconds: Math.min(Math.max(wish, 1), mostRetryAfterSeconds),
    cause,
  });
}
