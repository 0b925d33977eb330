import { type ConditionSource, longInertiaMs, usualInertiaMs } from '../../conditions/condition.ts';
import type { Config } from '../../config/load.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { ClusterClients } from '../mirror/cluster-clients.ts';
import { bad, good } from './findings.ts';
import type { Signs } from './signs.ts';

/**
 * A sign of life is believed for so long. After the start so long is waited for one: then the part
 * is asked. Milliseconds.
 */
const believedMs = 60_000;
const everyMs = 15_000;
/** A question to a cluster ends before the look does: who does not answer is not reachable. */
const askMs = 5_000;
/** The pause before the first look, milliseconds. */
const firstMs = 10_000;

/** Milliseconds since some point in time. */
type Monotonic = () => number;

/** Each upstream: by what it answered within the last minute, else by one `GET /v2/`. */
export function upstreamSources(
  upstreams: readonly Upstream[],
  signs: Signs,
  now: Monotonic = () => performance.now(),
): readonly ConditionSource[] {
  const startedAt = now();
  return upstreams.map((upstream) => ({
    kinds: [
      { type: 'UpstreamReachable', name: upstream.name, effect: 'degrades', inertiaMs: usualInertiaMs },
    ],
    everyMs,
    firstMs,
    async look(signal) {
      const { name } = upstream;
      const last = signs.upstream(name);
      if (last === undefined && now() - startedAt < believedMs) return [undefined];
      const isRecent = last?.isGood === true && now() - last.at < believedMs;
      if (isRecent || (await upstream.isReachable({ signal }))) return [good('Reachable', 'it answers')];
      const message = `${name} cannot be used: what is not stored cannot be pulled`;
      return [bad(message, signs.upstream(name)?.error, 'Unreachable')];
    },
  }));
}

/**
 * Each cluster: by the reviews of the last minute, else by a question with the rights that the
 * cluster is there for.
 */
export function clusterSources(
  config: Config,
  clients: Pick<ClusterClients, 'of'>,
  signs: Signs,
  now: Monotonic = () => performance.now(),
): readonly ConditionSource[] {
  const startedAt = now();
  const reviewing = new Set(
    Object.values(config.hosts).flatMap(({ auth, clusters }) =>
      auth === 'cluster' ? (clusters ?? Object.keys(config.clusters)) : [],
    ),
  );
  if (config.admin.cluster !== undefined) reviewing.add(config.admin.cluster);
  return Object.keys(config.clusters).map((name) => ({
    kinds: [{ type: 'ClusterReachable', name, effect: 'degrades', inertiaMs: longInertiaMs }],
    everyMs,
    firstMs,
    async look(signal) {
      const last = signs.cluster(name);
      if (last === undefined && now() - startedAt < believedMs) return [undefined];
      if (last?.isGood === true && now() - last.at < believedMs)
        return [good('Answers', 'it answers reviews')];
      try {
        const client = await clients.of(name);
        await (reviewing.has(name) ? asksReview(client, signal) : asksVersion(client, signal));
        return [good('Answers', reviewing.has(name) ? 'it answers reviews' : 'it answers')];
      } catch (error) {
        return [bad('it does not answer', error, kindOf(error))];
      }
    },
  }));
}

/** Each index of image streams: without it, rights by digest cannot all be told. */
export function streamSources(
  indexes: readonly Pick<StreamIndex, 'cluster' | 'state'>[],
): readonly ConditionSource[] {
  return indexes.map((index) => ({
    kinds: [{ type: 'StreamsSynced', name: index.cluster, effect: 'degrades', inertiaMs: longInertiaMs }],
    everyMs,
    look() {
      const { state } = index;
      if (state === 'synced') return [good('Synced', 'the image streams are followed')];
      if (state === 'syncing')
        return [
          {
            status: 'Unknown',
            reason: 'Syncing',
            message: 'the image streams are listed for the first time',
          },
        ];
      const message =
        state === 'stale'
          ? 'the cluster is gone; what is known of its image streams still counts'
          : 'the cluster has been gone for too long; nothing is known of its image streams';
      return [{ status: 'False', reason: state === 'stale' ? 'Stale' : 'Expired', message }];
    },
  }));
}

/** Whether anonymous users may read the version: of no use, but with the right that we need. */
async function asksReview(client: KubernetesClient, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: { user: 'system:anonymous', nonResourceAttributes: { verb: 'get', path: '/version' } },
  });
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
  await client.text({ method: 'POST', path, body, isRepeatable: true, timeoutMs: askMs, signal });
}

async function asksVersion(client: KubernetesClient, signal: AbortSignal): Promise<void> {
  await client.text({ path: '/version', timeoutMs: askMs, signal });
}

/** The kind of an `ApiFailure`, as one word. */
function kindOf(error: unknown): string {
  const kind = error instanceof Error && 'kind' in error ? String(error.kind) : 'unreachable';
  return kind.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase());
}
