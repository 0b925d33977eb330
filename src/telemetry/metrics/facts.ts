import { statfs } from 'node:fs/promises';
import type { Registry } from 'prom-client';
import type { UpstreamEvents } from '../../upstream/upstream.ts';
import { counter, gauge, inquired } from './kinds.ts';
import { table } from './table.ts';

/** What bytes on a disk, or in a bucket, are for. */
type StorageUse = 'store' | 'disk' | 'spool';

/** What a service knows of itself before it has served anything. */
export interface ServiceFacts {
  readonly version: string;
  /** Of the source, as the build told it. */
  readonly revision: string;
  readonly upstreams: readonly string[];
  /** Directories of ours, where there are any. */
  readonly directories: Readonly<Partial<Record<StorageUse, string>>>;
  /** How many bytes the settings allow, where they do. */
  readonly maxBytes: Readonly<Partial<Record<StorageUse, number>>>;
}

/**
 * Shows the build, the limits, and the room of the disks. Counters of what must never happen begin
 * with 0: Prometheus sees no increase in a series that begins with 1.
 */
export function factMetrics(
  registry: Registry,
): Required<Pick<UpstreamEvents, 'wrongContent'>> & { describe(facts: ServiceFacts): void } {
  const info = gauge(registry, table.buildInfo);
  const limit = gauge(registry, table.maxBytes);
  const size = inquired(registry, table.filesystemSize);
  const available = inquired(registry, table.filesystemAvailable);
  const wrong = counter(registry, table.wrongContent);
  return {
    describe({ version, revision, upstreams, directories, maxBytes }) {
      info(version, revision, process.versions.node).value = 1;
      for (const [use, bytes] of Object.entries(maxBytes)) limit(use).value = bytes;
      for (const [use, path] of Object.entries(directories)) {
        size([use], () => room(path, 'blocks'));
        available([use], () => room(path, 'bavail'));
      }
      for (const upstream of upstreams) for (const kind of ['manifest', 'blob']) wrong(upstream, kind);
    },
    wrongContent({ upstream, kind }) {
      wrong(upstream, kind).value += 1;
    },
  };
}

/** Bytes of the file system of a directory: all of them, or those that are left for us. */
async function room(path: string, what: 'blocks' | 'bavail'): Promise<number> {
  const filesystem = await statfs(path);
  return filesystem[what] * filesystem.bsize;
}
