import { createKubernetesCluster } from '../../auth/clusters/api-server/cluster-reviews.ts';
import { oneLine } from '../../base/text/one-line.ts';
import type { Config } from '../../config/load.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import { createLogins } from '../../kubernetes/login.ts';
import type { DeepFinding } from './finding.ts';

const withoutToken = 'quayside-config-check';

/**
 * Asks the cluster for a TokenReview of the token with which this service comes there, and for a
 * SubjectAccessReview: both need the ClusterRole system:auth-delegator.
 */
export async function clusterFinding(name: string, config: Config['clusters'][string]): Promise<DeepFinding> {
  const what = `cluster ${name}`;
  const path = ['clusters', name];
  const { kubeconfigFile, context, timeoutMs } = config;
  const where = {
    ...(kubeconfigFile !== undefined && { kubeconfigFile }),
    ...(context !== undefined && { context }),
  };
  try {
    const cluster = await createKubernetesCluster({ ...where, name, timeoutMs, connections: 1 });
    try {
      const { headers } = await createLogins(await loadKubeconfig(where))();
      const [, token = withoutToken] = (headers['authorization'] ?? '').split('Bearer ');
      const self = await cluster.review(token);
      await cluster.ask(self ?? { name: 'system:anonymous', groups: [] }, { verb: 'get', path: '/livez' });
      const as = self === undefined ? '' : ` and knows this service as ${self.name}`;
      return { what, path, fine: `answers reviews${as}` };
    } finally {
      await cluster.close();
    }
  } catch (error) {
    return { what, path, fault: oneLine(error instanceof Error ? error.message : String(error), 400) };
  }
}
