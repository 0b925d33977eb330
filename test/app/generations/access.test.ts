import { join } from 'node:path';
import { test } from 'tap';
import { configuredClusters } from '../../../src/app/generations/access.ts';
import { load } from '../../../src/config/load.ts';

const nothing = { reviewed: () => undefined, remembered: () => undefined, keysFailed: () => undefined };

test('a cluster that cannot be known is a fault of the configuration, in one line', async (t) => {
  const file = join(t.testdir({ kubeconfig: '{}' }), 'kubeconfig');
  for (const [settings, message] of [
    ['{}', 'config: cluster app.ci: no kubeconfigFile is set, and this process does not run in a cluster'],
    [`{ kubeconfigFile: ${file} }`, /^config: cluster app\.ci: the kubeconfig [^\n]+$/],
  ] as const) {
    const { clusters } = load(`clusters: { app.ci: ${settings} }`, {});
    await t.rejects(configuredClusters(clusters, nothing), { name: 'ConfigError', message });
  }
});
