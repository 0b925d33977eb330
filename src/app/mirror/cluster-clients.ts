import { defined } from '../../base/text/defined.ts';
import type { Config } from '../../config/load.ts';
import { createKubernetesClient, type KubernetesClient } from '../../kubernetes/client.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';

/** A client for each cluster that the mirror needs. */
export interface ClusterClients {
  /** Rejects, in words for the operator, when the cluster's address or login is unknown. */
  of(name: string): Promise<KubernetesClient>;
  close(): Promise<void>;
}

export function createClusterClients(clusters: Config['clusters']): ClusterClients {
  const made = new Map<string, KubernetesClient>();
  return {
    async of(name) {
      const { kubeconfigFile, context } = clusters[name] ?? {};
      const followed = await loadKubeconfig(defined({ kubeconfigFile, context }));
      const client = made.get(name) ?? createKubernetesClient({ kubeconfig: followed, timeoutMs: 10_000 });
      made.set(name, client);
      return client;
    },
    async close() {
      await Promise.all([...made.values()].map((client) => client.close()));
    },
  };
}
