import { closeTogether } from '../../base/flow/close-all.ts';
import { defined } from '../../base/text/defined.ts';
import type { ClusterConfig, Config } from '../../config/config.ts';
import { createImageStreams } from '../../image-streams/image-streams.ts';
import type { StreamIndexEvents } from '../../image-streams/index/events.ts';
import { FollowedStreams } from '../../image-streams/index/followed-streams.ts';
import { createPlaces } from '../../image-streams/places.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import { createKubernetesClient, type KubernetesClient } from '../../kubernetes/client.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import type { Repository } from '../../oci/reference.ts';
import { createRouter } from '../../proxy/access/route.ts';
import { streamsKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';

/** The indexes of image streams, one for each cluster that is configured to be followed. */
export interface ClusterStreams {
  of(cluster: string): StreamIndex | undefined;
  readonly all: readonly StreamIndex[];
  /**
   * False while an index is syncing, for a minute at most: a replica whose cluster does not answer
   * serves all that needs no index.
   */
  isReady(): boolean;
  /** The state of each index, for `/readyz`. */
  states(): readonly string[];
  /** Takes over the lists of trusted namespaces. */
  reload(config: Config): void;
  start(): void;
  /** They were started elsewhere, now. */
  started(): void;
  close(): Promise<void>;
}

interface ClusterStreamsParts {
  readonly records: Records;
  readonly events: StreamIndexEvents;
}

/** How long a syncing index keeps a replica from being ready, milliseconds. */
const readyWaitMs = 60_000;

/** Makes the indexes. Sends no request before `start`. */
export async function configuredStreams(config: Config, parts: ClusterStreamsParts): Promise<ClusterStreams> {
  return joinedStreams(
    await Promise.all(followedClusters(config).map((name) => followedCluster(name, config, parts))),
  );
}

/** The clusters whose image streams are followed. */
export function followedClusters({ clusters }: Config): readonly string[] {
  return Object.keys(clusters).filter((name) => clusters[name]?.streams !== undefined);
}

/** The indexes of several clusters as one. */
export function joinedStreams(made: readonly FollowedCluster[]): ClusterStreams {
  const indexes = new Map(made.map(({ index }) => [index.cluster, index]));
  let startedAt = Number.NEGATIVE_INFINITY;
  return {
    of: (cluster) => indexes.get(cluster),
    all: [...indexes.values()],
    isReady: () =>
      performance.now() - startedAt >= readyWaitMs ||
      [...indexes.values()].every(({ state }) => state !== 'syncing'),
    states: () => [...indexes.values()].map(({ cluster, state }) => `streams of ${cluster}: ${state}`),
    reload({ clusters }) {
      for (const [name, index] of indexes) index.trust(clusters[name]?.streams?.trusted ?? []);
    },
    started() {
      startedAt = performance.now();
    },
    start() {
      startedAt = performance.now();
      for (const index of indexes.values()) index.start();
    },
    close: () => closeTogether(made.map((cluster) => () => closedCluster(cluster))),
  };
}

/** Follows no more, and closes the connections. */
export async function closedCluster({ index, client }: FollowedCluster): Promise<void> {
  await index.close();
  await client.close();
}

/** The index of the image streams of one cluster. */
export interface FollowedCluster {
  readonly index: FollowedStreams;
  readonly client: KubernetesClient;
}

/** Connections beside the watches: for the lists. */
const listConnections = 2;

/** All settings that an index follows from; the trusted namespaces are told to it. */
export function streamSettings(cluster: string, config: Config): unknown {
  const { kubeconfigFile, context, streams } = config.clusters[cluster] ?? {};
  const { trusted: _, ...own } = streams ?? {};
  const { names } = placesOf(config, streams?.proxyNames ?? []);
  const formerMs = Object.entries(config.upstreams).map(([name, { tags }]) => [name, tags.formerMs]);
  return { kubeconfigFile, context, own, formerMs, places: settingsText(config, names, streams?.namespaces) };
}

/** Makes the index of one cluster. Sends no request before it starts. */
export async function followedCluster(
  cluster: string,
  config: Config,
  { records, events }: ClusterStreamsParts,
): Promise<FollowedCluster> {
  const settings: Partial<ClusterConfig> = config.clusters[cluster] ?? {};
  const { kubeconfigFile, context, streams } = settings;
  const { trusted = [], staleMs = 0, namespaces } = streams ?? {};
  const places = placesOf(config, streams?.proxyNames ?? []);
  const kubeconfig = await loadKubeconfig(defined({ kubeconfigFile, context }));
  // Another cluster may get the name of one that has records: its streams are others'.
  const { server, caData } = (await kubeconfig()).getCurrentCluster() ?? {};
  const client = createKubernetesClient({
    kubeconfig,
    timeoutMs: 10_000,
    connections: (namespaces?.length ?? 1) + listConnections,
  });
  const index = new FollowedStreams({
    cluster,
    imageStreams: (told) => createImageStreams({ client, events: told, relistMs: relistEveryMs }),
    trusted,
    staleMs,
    placeOf: createPlaces({ ...places, upstreams: new Set(Object.keys(config.upstreams)) }),
    formerMs: (upstream) => config.upstreams[upstream]?.tags.formerMs ?? 0,
    kept: {
      records,
      keyOf: (part) => streamsKey(cluster, part),
      settings: JSON.stringify([server, caData, settingsText(config, places.names, namespaces)]),
    },
    events,
    ...defined({ namespaces }),
  });
  return { index, client };
}

/** A watch misses nothing: all is listed again only to correct what a server forgot to tell. */
const relistEveryMs = 24 * 3_600_000;

/** What pull specs in streams mean, as a client that pulls them here would get it. */
function placesOf(config: Config, proxyNames: readonly string[]) {
  const { hosts, upstreams, publicUrl, defaultUpstream } = config;
  const own = Object.keys(hosts).filter((name) => name !== '*');
  const names = [...own, ...(publicUrl === undefined ? [] : [new URL(publicUrl).host]), ...proxyNames];
  const router = createRouter(new Map(Object.entries(upstreams)), defaultUpstream);
  return {
    names: new Map(names.map((name) => [name, (hosts[name] ?? hosts['*'])?.upstream])),
    route(repository: Repository, host: string | undefined) {
      const { upstream, request } = router({ request: { kind: 'tags', repository, query: '' } }, host);
      return { upstream, repository: request.repository };
    },
  };
}

/** All that decides which references count: records of other settings are not used. */
function settingsText(
  { upstreams, defaultUpstream }: Config,
  names: ReadonlyMap<string, string | undefined>,
  namespaces: readonly string[] | undefined,
): string {
  const served = Object.entries(upstreams).map(([name, { repositories, library }]) => [
    name,
    repositories,
    library,
  ]);
  return JSON.stringify([served, [...names], defaultUpstream, namespaces]);
}
