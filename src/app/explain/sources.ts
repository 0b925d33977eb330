// Room `app/explain`: what `explain` asks, made of the parts of a service or of its settings alone.
// In: the configuration, a store, upstreams. Out: sources, and explanations of questions. Imports:
// every room below.

import { defined } from '../../base/text/defined.ts';
import { imagePattern } from '../../base/text/image-pattern.ts';
import type { Clock } from '../../base/time/wait.ts';
import { freshness, type TagPolicy } from '../../cache/records/freshness.ts';
import type { TagPointers } from '../../cache/records/tag-pointers.ts';
import type { Config } from '../../config/load.ts';
import type { ExplainSources, MissSourcePlace, RightsSource, UpstreamFacts } from '../../explain/sources.ts';
import { unless } from '../../kubernetes/failure.ts';
import { mayFill } from '../../mirror/fallback/source-rules.ts';
import type { QueuedTask } from '../../mirror/queue/task.ts';
import type { Store } from '../../store/store.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { ClusterClients } from '../mirror/cluster-clients.ts';
import type { Rules } from '../mirror/rules.ts';
import { createContentSource, storeText } from './content.ts';
import { createMirrorSource } from './mirror.ts';
import { createProbes } from './probes.ts';
import { createMaker } from './promotions.ts';
import { createExplainRoute } from './route.ts';

export interface ExplainParts {
  readonly store: Store;
  /** False where the store of a running server is looked at from elsewhere. */
  readonly isOurStore: boolean;
  readonly tags: Pick<TagPointers, 'reread'>;
  /** Without the sources of its misses. */
  readonly upstream: (name: string) => Upstream | undefined;
  readonly rights: RightsSource;
  readonly clients: ClusterClients;
  /** What is known of an upstream beside its settings. Default: nothing. */
  readonly state?: (name: string) => Pick<UpstreamFacts, 'breaker' | 'breakerAt' | 'limits'>;
  /** Default: none is known. */
  readonly storeTrouble?: NonNullable<ExplainSources['content']['trouble']>;
  readonly mirror?: {
    readonly rules: Pick<Rules, 'current' | 'places'>;
    readonly running?: (destination: string) => QueuedTask | undefined;
  };
  /** Ends what takes too long. Default: the system's. */
  readonly clock?: Clock;
  /** A checkout of openshift/release. Default: that of the settings. */
  readonly checkout?: string;
}

/** How long the cluster may take for one stream, milliseconds. */
const streamMs = 4_000;
const longestStreamBytes = 32 * 1024 * 1024;

/** Sends no request, and reads no file, before a step asks. */
export function createExplainSources(config: Config, parts: ExplainParts): ExplainSources {
  const { store, tags, rights, upstream } = parts;
  const { mirror: settings } = config;
  const folder = parts.checkout ?? settings?.imageStreams?.releaseRepo;
  const mirror = settings && parts.mirror;
  const clock = defined({ clock: parts.clock });
  const policy = (name: string): TagPolicy => config.upstreams[name]?.tags ?? config.tags;
  return {
    route: createExplainRoute(config),
    rights,
    tags: {
      where: storeText(config),
      find: (place, tag) => tags.reread(place, tag),
      policy,
      isBelieved: (name, tag, pointer) => freshness(tag, pointer, policy(name), Date.now()) !== 'ask',
    },
    content: {
      ...createContentSource(config, store, parts.isOurStore),
      ...defined({ trouble: parts.storeTrouble }),
    },
    probes: createProbes({ upstream, ...clock }),
    probesOfSubjects: createProbes({ upstream, burst: 10, perMinute: 15, ...clock }),
    upstream: (name) => factsOf(config, name, parts),
    ...defined({
      misses: mirror && settings && missesOf(settings, mirror.rules),
      mirror:
        mirror &&
        settings &&
        createMirrorSource({
          settings,
          records: store.records,
          current: mirror.rules.current,
          ...defined({ running: mirror.running }),
        }),
      streams: streamsOf(config, parts.clients),
      maker: folder === undefined ? undefined : createMaker(folder),
    }),
    now: Date.now,
    ...clock,
  };
}

function factsOf(config: Config, name: string, { state }: ExplainParts): UpstreamFacts | undefined {
  const settings = config.upstreams[name];
  if (settings === undefined) return undefined;
  const isHelped = config.credentialHelpers.exec.some(({ matchImages }) =>
    matchImages.some((images) => imagePattern(images).test(name)),
  );
  const login = settings.credentials === undefined && !isHelped ? 'anonymous' : 'configured';
  return { url: new URL(settings.url).origin, login, ...state?.(name) };
}

function missesOf(
  { misses, dryRun }: NonNullable<Config['mirror']>,
  { places }: Pick<Rules, 'places'>,
): ExplainSources['misses'] {
  if (dryRun || misses.onMiss === 'off') return undefined;
  return (place, reference) => {
    if (!mayFill(misses.sources, place.upstream)) return [];
    return places(place, reference).map((found): MissSourcePlace => {
      if (found.kind === 'history') return found;
      const { registry, repository, reference: named, text } = found.source;
      return { kind: 'image', registry, repository, reference: named, text };
    });
  };
}

/** The cluster whose image streams are mirrored, else the one whose streams are followed. */
export function streamCluster({ mirror, clusters }: Pick<Config, 'mirror' | 'clusters'>): string | undefined {
  if (mirror?.imageStreams !== undefined) return mirror.imageStreams.cluster;
  const names = Object.keys(clusters);
  return names.find((name) => clusters[name]?.streams !== undefined) ?? names[0];
}

function streamsOf(config: Config, clients: ClusterClients): ExplainSources['streams'] {
  const cluster = streamCluster(config);
  if (cluster === undefined) return undefined;
  return {
    where: `cluster ${cluster}`,
    async read(namespace, name) {
      const client = await clients.of(cluster);
      const path = `/apis/image.openshift.io/v1/namespaces/${encodeURIComponent(namespace)}/imagestreams/${encodeURIComponent(name)}`;
      return unless(404, client.json<unknown>({ path, timeoutMs: streamMs, maxBytes: longestStreamBytes }));
    },
  };
}
