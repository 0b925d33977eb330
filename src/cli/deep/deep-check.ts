import { withTimeout } from '../../base/time/wait.ts';
import { diskOf } from '../../config/config.ts';
import type { ConfigRefusal, FaultPath } from '../../config/faults.ts';
import type { Config, Environment } from '../../config/load.ts';
import { createCredentialHelpers } from '../../upstream/helpers/helpers.ts';
import { clusterFinding } from './cluster-probe.ts';
import { contentFaults } from './file-contents.ts';
import type { DeepFinding } from './finding.ts';
import { diskFinding, spoolFinding, storeFinding } from './store-probe.ts';
import { upstreamFinding } from './upstream-probe.ts';

/** All that the configuration names, looked at once. */
export interface DeepCheck {
  /** Files that are not what they must be. */
  readonly files: readonly ConfigRefusal[];
  /** Parts that work or not. */
  readonly findings: readonly DeepFinding[];
}

interface DeepCheckOptions {
  readonly env: Environment;
  /** For one part, milliseconds: a login may be a program that waits for a person. Default 30 s. */
  readonly patienceMs?: number;
}

/** Looks at everything, all at once. Writes nothing but probes, which it deletes. Never rejects. */
export async function deepCheck(
  config: Config,
  { env, patienceMs = 30_000 }: DeepCheckOptions,
): Promise<DeepCheck> {
  const files = await contentFaults(config);
  const inTime = (what: string, path: FaultPath, found: Promise<DeepFinding>): Promise<DeepFinding> => {
    const fault = `has not answered within ${patienceMs / 1000} s`;
    return withTimeout(found, patienceMs, () => ({ what, path, fault }));
  };
  const disk = diskOf(config);
  const helpers = createCredentialHelpers({ ...config.credentialHelpers, env });
  const findings = await Promise.all([
    inTime('store', ['store'], storeFinding(config)),
    ...(disk === undefined ? [] : [inTime('disk', ['store', 'disk', 'path'], diskFinding(disk))]),
    inTime('spool', ['spool', 'path'], spoolFinding(config)),
    ...Object.entries(config.upstreams).map(([name, upstream]) =>
      inTime(`upstream ${name}`, ['upstreams', name], upstreamFinding(name, upstream, env, helpers)),
    ),
    ...Object.entries(config.clusters).map(([name, cluster]) =>
      inTime(`cluster ${name}`, ['clusters', name], clusterFinding(name, cluster)),
    ),
  ]);
  helpers.close();
  return { files, findings };
}
