import type { Config } from './config.ts';

/**
 * The settings for one of so many workers: what bounds memory, disk, connections and requests of
 * the whole is divided. What bounds requests to an upstream a second, and at once, is not: workers
 * take their parts of it as they come and go.
 */
export function divided(config: Config, workers: number): Config {
  if (workers === 1) return config;
  const part = (whole: number): number => Math.ceil(whole / workers);
  const { spool, memory, limits, upstreams, store, mirror } = config;
  const memoryBytes = part(memory.maxBytes);
  const limit = (whole: Config['limits']['read']): Config['limits']['read'] => ({
    ...whole,
    maxRunning: part(whole.maxRunning),
    maxInQueue: part(whole.maxInQueue),
  });
  return {
    ...config,
    spool: { ...spool, maxBytes: part(spool.maxBytes) },
    memory: { maxBytes: memoryBytes, maxEntryBytes: Math.min(memory.maxEntryBytes, memoryBytes) },
    limits: {
      ...limits,
      read: limit(limits.read),
      blobs: limit(limits.blobs),
      logins: limit(limits.logins),
      write: limit(limits.write),
    },
    upstreams: Object.fromEntries(
      Object.entries(upstreams).map(([name, upstream]) => [
        name,
        { ...upstream, maxQueued: part(upstream.maxQueued) },
      ]),
    ),
    store: 's3' in store ? { ...store, s3: { ...store.s3, maxSockets: part(store.s3.maxSockets) } } : store,
    ...(mirror && {
      mirror: {
        ...mirror,
        misses: { ...mirror.misses, questionsPerSecond: part(mirror.misses.questionsPerSecond) },
      },
    }),
  };
}
