import { type ReviewRecords, sweepReviews } from '../../auth/clusters/review-records.ts';
import type { ReviewSharing } from '../../auth/clusters/shared-reviews.ts';
import { createTokenKeys, type TokenKeys } from '../../auth/tokens/token-keys.ts';
import type { Current } from '../../base/state/watched-file.ts';
import { defined } from '../../base/text/defined.ts';
import type { Config } from '../../config/config.ts';
import type { MeteredEvents } from '../../telemetry/metrics/metrics.ts';

export interface ConfiguredSharing {
  /** What accepted tokens of that cluster are shared by; undefined where they must not be. */
  of(cluster: string): ReviewSharing | undefined;
  /** Deletes old records each hour, first after a random part of one: replicas take turns. */
  start(): void;
  close(): Promise<void>;
}

interface SharingParts {
  readonly records: ReviewRecords;
  /** The secret that the store keeps, where no host names files. */
  readonly tokenKeys: Current<TokenKeys>;
  readonly events: Pick<MeteredEvents, 'storeFailed'>;
}

const sweepEveryMs = 3_600_000;

/**
 * Accepted tokens are shared in a bucket and in a directory: several replicas may use either. A
 * store in memory has one. The key comes from the key files of the first host that names some, so
 * that the store alone reveals nothing. Without files it is the secret in the store: who reads that
 * can sign tokens of any subject, but none that operates the server. So those of `admin.cluster`
 * are then not shared.
 */
export function configuredSharing(config: Config, parts: SharingParts): ConfiguredSharing {
  const { records, tokenKeys, events } = parts;
  const fromFiles = keysInFiles(config);
  const ending = new AbortController();
  const { signal } = ending;
  const keptMs = Math.max(0, ...Object.values(config.clusters).map(({ remember }) => remember.tokenMs));
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<unknown> = Promise.resolve();
  const isShared = !('memory' in config.store) && keptMs > 0;

  function sweep(): void {
    const failed = (error: unknown) => {
      if (!signal.aborted) events.storeFailed({ operation: 'write', error });
    };
    sweeping = sweepReviews(records, keptMs + sweepEveryMs, { signal }).catch(failed);
    schedule(sweepEveryMs);
  }

  function schedule(inMs: number): void {
    timer = setTimeout(sweep, inMs).unref();
  }

  return {
    of(cluster) {
      const keys = fromFiles ?? (config.admin.cluster === cluster ? undefined : tokenKeys);
      if (!isShared || keys === undefined) return undefined;
      return { records, keys, failed: (error) => events.storeFailed({ operation: 'read', error }) };
    },
    start() {
      if (isShared) schedule(sweepEveryMs * Math.random());
    },
    async close() {
      ending.abort();
      clearTimeout(timer);
      await sweeping;
    },
  };
}

/** The settings that sharing follows from. */
export function sharingSettings({ hosts, clusters, admin, store }: Config): unknown {
  const files = Object.values(hosts).map(({ tokenKeyFiles, tokenSecretFile }) => [
    tokenKeyFiles,
    tokenSecretFile,
  ]);
  const keptMs = Object.values(clusters).map(({ remember }) => remember.tokenMs);
  return { files, keptMs, admin: admin.cluster, isShared: !('memory' in store) };
}

function keysInFiles({ hosts }: Config): Current<TokenKeys> | undefined {
  for (const { tokenKeyFiles = [], tokenSecretFile } of Object.values(hosts))
    if (tokenKeyFiles.length > 0 || tokenSecretFile !== undefined)
      return createTokenKeys({ tokenKeyFiles, ...defined({ tokenSecretFile }) });
  return undefined;
}
