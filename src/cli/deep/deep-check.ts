import type { ConfigRefusal } from '../../config/faults.ts';
import type { Config, Environment } from '../../config/load.ts';
import { clusterFinding } from './cluster-probe.ts';
import { contentFaults } from './file-contents.ts';
import type { DeepFinding } from './finding.ts';
import { spoolFinding, storeFinding } from './store-probe.ts';
import { upstreamFinding } from './upstream-probe.ts';

/** All that the configuration names, looked at once. */
export interface DeepCheck {
  /** Files that are not what they must be. */
  readonly files: readonly ConfigRefusal[];
  /** Parts that work or not. */
  readonly findings: readonly DeepFinding[];
}

/** Looks at everything, all at once. Writes nothing but probes, which it deletes. Never rejects. */
export async function deepCheck(config: Config, env: Environment): Promise<DeepCheck> {
  const files = await contentFaults(config);
  const findings = await Promise.all([
    storeFinding(config),
    spoolFinding(config),
    ...Object.entries(config.upstreams).map(([name, upstream]) => upstreamFinding(name, upstream, env)),
    ...Object.entries(config.clusters).map(([name, cluster]) => clusterFinding(name, cluster)),
  ]);
  return { files, findings };
}
