import { configuredStreams } from '../../app/generations/streams.ts';
import { shared } from '../../base/flow/single-flight.ts';
import { hasSlept } from '../../base/time/wait.ts';
import type { Config } from '../../config/load.ts';
import { imageStreamTagText } from '../../image-streams/image-stream-tag.ts';
import { type StreamIndexEvents, silentStreamEvents } from '../../image-streams/index/events.ts';
import type { StreamIndex } from '../../image-streams/stream-index.ts';
import { createHolds } from '../../mirror/queue/holds.ts';
import { qciProxy } from '../../mirror/references/names.ts';
import type { DigestNeeds } from '../../prune/protection.ts';
import { createMemoryStore } from '../../store/memory-store.ts';
import type { Records } from '../../store/records.ts';
import { UsageError } from '../flags/arguments.ts';
import type { Io } from '../flags/io.ts';
import type { PruneOptions, PruneTarget } from './options.ts';

/** What needs digests of repositories, followed until it is closed. */
export interface FollowedNeeds {
  of(target: PruneTarget): DigestNeeds;
  close(): Promise<void>;
}

const nothing: FollowedNeeds = {
  of: () => ({ inSync: true, namedBy: () => undefined }),
  close: async () => undefined,
};

/** Tags of streams count for as long as the stream tells of them, in ms: for ever. */
const formerMs = 100 * 365 * 86_400_000;
/** How long a run waits for the streams before it keeps all that they might name, milliseconds. */
const syncWaitMs = 120_000;
/** A cluster that has refused this often is not waited for. */
const mostFailures = 3;

/**
 * Which digests the image streams of all clusters of the settings name, with all their history.
 * Throws `UsageError` where that is not configured, unless it is not wanted.
 */
export async function followedNeeds(
  { targets, hasStreams }: PruneOptions,
  config: Config,
  { signal, stderr }: Pick<Io, 'signal' | 'stderr'>,
): Promise<FollowedNeeds> {
  if (!hasStreams) return nothing;
  if (!Object.values(config.clusters).some(({ streams }) => streams !== undefined))
    throw new UsageError(
      'no cluster of --config has streams, so it cannot be told what image streams name: configure one, or say --no-streams',
    );
  const strange = targets.find(({ registry }) => config.upstreams[registry] === undefined);
  if (strange !== undefined)
    throw new UsageError(
      `${strange.registry} is no upstream of --config, so image streams that name it are not known`,
    );
  const memory = createMemoryStore();
  let failures = 0;
  const events: StreamIndexEvents = {
    ...silentStreamEvents,
    streamsFailed({ cluster, error }) {
      failures += 1;
      if (failures === 1)
        stderr.write(`warning: the image streams of ${cluster} cannot be read: ${reasonOf(error)}\n`);
    },
  };
  const streams = await configuredStreams(everything(config), { records: memory.records, events });
  streams.start();
  await synced(streams.all, () => failures >= mostFailures, signal);
  return {
    of: ({ registry, repository }) => ({
      get inSync() {
        return streams.all.every(({ untold }) => untold === undefined);
      },
      namedBy(digest) {
        for (const index of streams.all) {
          const [first] = index.naming({ upstream: registry, repository }, digest);
          if (first !== undefined) return imageStreamTagText(first);
        }
        return undefined;
      },
    }),
    async close() {
      await streams.close();
      await memory.close();
    },
  };
}

/**
 * The settings with which nothing is overlooked: all namespaces, the whole history, and the name by
 * which streams of CI name QCI.
 */
function everything(config: Config): Config {
  const upstreams = Object.entries(config.upstreams).map(([name, upstream]) => {
    return [name, { ...upstream, tags: { ...upstream.tags, formerMs } }] as const;
  });
  const clusters = Object.entries(config.clusters).map(([name, { streams, ...cluster }]) => {
    const { namespaces: _some, ...all } = streams ?? { trusted: [], proxyNames: [], staleMs: 0 };
    return [name, streams === undefined ? cluster : { ...cluster, streams: all }] as const;
  });
  const [pattern] = Object.values(config.hosts);
  const registry = 'quay.io';
  const proxy = new URL(`https://${qciProxy}`).host;
  const isKnown = pattern === undefined || config.hosts[proxy] !== undefined;
  const isOurs = config.upstreams[registry] !== undefined;
  const hosts = isKnown || !isOurs ? {} : { [proxy]: { ...pattern, upstream: registry } };
  return {
    ...config,
    upstreams: Object.fromEntries(upstreams),
    clusters: Object.fromEntries(clusters),
    hosts: { ...config.hosts, ...hosts },
  };
}

async function synced(
  all: readonly StreamIndex[],
  hasFailed: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const endsAt = performance.now() + syncWaitMs;
  while (all.some(({ state }) => state === 'syncing') && !hasFailed() && performance.now() < endsAt)
    if (!(await hasSlept(100, signal))) return;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Holds are read again after this, milliseconds; each deletion asks for them. */
const holdsMs = 2_000;

/** The tags of the repository that a hold of the store is on, as of two seconds ago at most. */
export function heldTags(records: Records, { registry, repository }: PruneTarget): () => Promise<string[]> {
  const holds = createHolds({ records });
  const prefix = `${registry}/${repository}:`;
  const read = shared(async () => {
    const readAt = performance.now();
    const tags = (await holds.list()).flatMap(({ destination }) =>
      destination.startsWith(prefix) ? [destination.slice(prefix.length)] : [],
    );
    return { readAt, tags };
  });
  let known: { readonly readAt: number; readonly tags: string[] } | undefined;
  return async () => {
    if (known === undefined || performance.now() - known.readAt >= holdsMs) known = await read();
    return known.tags;
  };
}
