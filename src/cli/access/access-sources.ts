import { configuredClusters } from '../../app/generations/access.ts';
import { type ClusterStreams, configuredStreams } from '../../app/generations/streams.ts';
import { configuredStore } from '../../app/store.ts';
import { sleep } from '../../base/time/wait.ts';
import type { Config } from '../../config/load.ts';
import { silentStreamEvents } from '../../image-streams/index/events.ts';
import { RegistryError } from '../../oci/errors.ts';
import { createBufferPool } from '../../store/buffers.ts';
import { createMemoryStore } from '../../store/memory-store.ts';
import type { AccessSources } from './access-check.ts';
import { createStoredTagIndex, type StoredTagIndex } from './stored-tag-index.ts';

const lookEveryMs = 20;

/** One cluster of the configuration, and its store, which is opened for the first digest only. */
export async function accessSources(config: Config, name: string): Promise<AccessSources> {
  const wanted = config.clusters[name];
  const clusters = await configuredClusters(wanted === undefined ? {} : { [name]: wanted }, {
    reviewed: () => {},
    remembered: () => {},
    keysFailed: () => {},
  });
  const judge = clusters.get(name);
  if (judge === undefined) throw new Error(`cluster ${name} is not configured`);
  let opened: Promise<StoredTagIndex> | undefined;
  let following: Promise<ClusterStreams> | undefined;
  function stored(): Promise<StoredTagIndex> {
    opened ??= openedReach(config);
    return opened;
  }
  return {
    judge,
    reach: {
      tagsContaining: async (...asked) => (await stored()).tagsContaining(...asked),
      unrecordedTags: async (...asked) => (await stored()).unrecordedTags(...asked),
      tagContains: async (...asked) => (await stored()).tagContains(...asked),
      manifestContains: async (...asked) => (await stored()).manifestContains(...asked),
      tagLeadsNow: async (...asked) => (await stored()).tagLeadsNow(...asked),
    },
    async streams() {
      if (wanted?.streams === undefined) return undefined;
      following ??= followedStreams({ ...config, clusters: { [name]: wanted } });
      const streams = await following;
      while (!streams.isReady()) await sleep(lookEveryMs);
      return streams.of(name);
    },
    async close() {
      await judge.close();
      const streams = await following?.catch(() => undefined);
      await streams?.close();
      const index = await opened?.catch(() => undefined);
      await index?.close();
    },
  };
}

/** Read from the cluster anew: what servers keep of them may be old, and nothing is written. */
async function followedStreams(config: Config): Promise<ClusterStreams> {
  const streams = await configuredStreams(config, {
    records: createMemoryStore().records,
    events: silentStreamEvents,
  });
  streams.start();
  return streams;
}

async function openedReach(config: Config): Promise<StoredTagIndex> {
  if ('memory' in config.store)
    throw new RegistryError(
      'UNAVAILABLE',
      'access check by digest needs a filesystem or s3 store; the CLI cannot read store.memory',
    );
  const store = await configuredStore(config, createBufferPool(), {});
  const known = createStoredTagIndex(store, (upstream) => config.upstreams[upstream]?.tags.formerMs ?? 0);
  return {
    ...known,
    async close() {
      await known.close();
      await store.close();
    },
  };
}
