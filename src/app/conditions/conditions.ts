// Room `app/conditions`: what each part offers as a source of conditions, and where they are shown.
// In: the parts of the service. Out: a board that looks at them. Imports: every room below.

import { hostname } from 'node:os';
import { closeInTurn } from '../../base/flow/close-all.ts';
import { defined } from '../../base/text/defined.ts';
import { type Clock, systemClock } from '../../base/time/wait.ts';
import { ConditionBoard } from '../../conditions/board.ts';
import type { ConditionPublisher, FoundCondition } from '../../conditions/condition.ts';
import { createConditionMemory } from '../../conditions/condition-memory.ts';
import { createConfigMapPublisher } from '../../conditions/config-map.ts';
import { createEventPublisher } from '../../conditions/kubernetes-events.ts';
import { reportJson, reportText } from '../../conditions/report-text.ts';
import { diskOf } from '../../config/config.ts';
import type { Config, Environment } from '../../config/load.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import type { KeptFiles } from '../../store/disk-tier/kept-files.ts';
import type { Store } from '../../store/store.ts';
import { conditionLog } from '../../telemetry/event-log.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics/metrics.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { type ClusterClients, createClusterClients } from '../mirror/cluster-clients.ts';
import type { MirrorActivity } from '../mirror/state.ts';
import type { ConfiguredBucket } from './bucket.ts';
import { mirrorSources } from './mirror-sources.ts';
import {
  certificateSources,
  clockSource,
  diskSources,
  type ReadKeyPair,
  servingSource,
  settingsSource,
  spoolSource,
  storeSource,
} from './own-sources.ts';
import { clusterSources, streamSources, upstreamSources } from './remote-sources.ts';
import type { Signs } from './signs.ts';

interface ConditionParts {
  readonly store: Store;
  /** Where the store is, in words for operators. */
  readonly place: string;
  /** The copies on the disk before the bucket. */
  readonly diskFiles: KeptFiles | undefined;
  readonly bucket: ConfiguredBucket | undefined;
  readonly canServe: () => Promise<boolean>;
  readonly readKeyPair: ReadKeyPair;
  readonly watched: WatchedParts;
  readonly signs: Signs;
  readonly meters: Pick<Metrics, 'conditions' | 'certificate'>;
  readonly log: Log;
  readonly env: Environment;
  readonly clock?: Clock;
}

/** What follows from a configuration, and may be replaced while the service runs. */
export interface WatchedParts {
  readonly config: Config;
  readonly upstreams: readonly Upstream[];
  /** The indexes of image streams. */
  readonly streams: readonly StreamIndex[];
  readonly clients: ClusterClients;
  readonly mirror?: { state(): MirrorActivity };
}

/** The conditions of a running service. */
export interface Conditions {
  /** All of them now, as JSON and as a table. */
  status(): { readonly json: object; readonly text: string };
  /** What each part is like at the moment, whether it counts or not. */
  look(): Promise<readonly FoundCondition[]>;
  /** Looks at these parts from now on. */
  watch(parts: WatchedParts): void;
  /** The settings that wait for a restart now, or why the changed file was refused. */
  pending(settings: readonly string[], refused?: string): void;
  start(): void;
  close(): Promise<void>;
}

/** Looks at nothing before `start`. Rejects, in words for the operator, for an unknown cluster. */
export async function configuredConditions(config: Config, parts: ConditionParts): Promise<Conditions> {
  const { bucket, signs, store, log } = parts;
  const clients = createClusterClients(config.clusters);
  const { now } = parts.clock ?? systemClock;
  let waiting: Parameters<Conditions['pending']> = [[]];
  const own = {
    first: [
      servingSource(store, parts.canServe),
      ...(bucket?.sources ?? []),
      storeSource(store, parts.place, signs),
      ...diskSources(parts.diskFiles, diskOf(config)?.path, signs),
      spoolSource(config, signs),
    ],
    last: [
      ...certificateSources(config, { read: parts.readKeyPair, told: parts.meters.certificate }),
      clockSource(signs, () => bucket?.skewMs()),
      settingsSource(() => waiting),
    ],
  };
  const sourcesOf = ({ config: current, upstreams, streams, mirror, ...watched }: WatchedParts) => [
    ...own.first,
    ...upstreamSources(upstreams, signs, now),
    ...clusterSources(current, watched.clients, signs, now),
    ...streamSources(streams),
    ...(mirror === undefined ? [] : mirrorSources(() => mirror.state())),
    ...own.last,
  ];
  const board = new ConditionBoard({
    sources: sourcesOf(parts.watched),
    publishers: [
      parts.meters.conditions,
      conditionLog(log),
      ...(await kubernetesPublishers(config, clients, parts)),
    ],
    memory: createConditionMemory(store.records),
    inertiaMs: config.conditions.inertiaMs,
    ...defined({ clock: parts.clock }),
  });
  return {
    status() {
      const report = board.report();
      return { json: reportJson(report), text: reportText(report) };
    },
    watch: (watched) => board.replace(sourcesOf(watched)),
    pending: (...told) => {
      waiting = told;
    },
    look: () => board.look(),
    start: () => board.start(),
    close: () => closeInTurn([() => board.close(), () => clients.close(), () => bucket?.close()]),
  };
}

/** Events about our pod, and our entry in the ConfigMap, where the settings name a cluster. */
async function kubernetesPublishers(
  { conditions: { cluster, namespace, configMap } }: Config,
  clients: ReturnType<typeof createClusterClients>,
  { log, env }: ConditionParts,
): Promise<readonly ConditionPublisher[]> {
  if (cluster === undefined || namespace === undefined) return [];
  const client = await clients.of(cluster);
  const own = log.child({ component: 'conditions', cluster, namespace });
  const pod = { name: env['POD_NAME'] || hostname(), ...defined({ uid: env['POD_UID'] || undefined }) };
  const events = createEventPublisher({
    ...{ client, namespace, pod },
    failed: (error) =>
      own.warn({ err: error }, 'cannot write Events of conditions; the changes are in the log'),
    worked: () => own.info('Events of conditions are written again'),
  });
  if (configMap === undefined) return [events];
  const entries = createConfigMapPublisher({
    ...{ client, namespace, name: configMap, replica: pod.name },
    failed: (error) =>
      own.warn({ configMap, err: error }, 'cannot write the ConfigMap of conditions; retrying'),
    worked: () => own.info({ configMap }, 'the ConfigMap of conditions is written again'),
  });
  return [events, entries];
}
