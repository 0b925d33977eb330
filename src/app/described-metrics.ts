import manifest from '../../package.json' with { type: 'json' };
import { defined } from '../base/text/defined.ts';
import { revisionOf } from '../base/text/revision.ts';
import { diskOf } from '../config/config.ts';
import type { Config, Environment } from '../config/load.ts';
import type { Exemplar } from '../telemetry/metrics/exemplars.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics/metrics.ts';

/** Metrics that show what is known before anything is served: build, limits of all, disks. */
export function describedMetrics(
  config: Config,
  env: Environment,
  workers = 1,
  exemplar?: () => Exemplar | undefined,
): Metrics {
  const { store, spool, eviction, upstreams } = config;
  const disk = diskOf(config);
  const metrics = createMetrics(exemplar);
  metrics.describe({
    version: manifest.version,
    revision: revisionOf(env),
    upstreams: Object.keys(upstreams),
    directories: {
      spool: spool.path,
      ...defined({ disk: disk?.path }),
      ...('filesystem' in store ? { store: store.filesystem.path } : {}),
    },
    maxBytes: {
      spool: spool.maxBytes * workers,
      ...defined({ disk: disk?.maxBytes, store: eviction.maxBytes }),
    },
  });
  return metrics;
}
