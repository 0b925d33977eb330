import assert from 'node:assert/strict';
import { cluster, clusterName } from '../fixtures/cluster.ts';
import {
  clusterHost,
  clusterStand,
  manifestPath,
  repository,
  tags,
  upstreamName,
} from '../fixtures/cluster-stand.ts';
import { type DockerClient, dockerClient } from '../fixtures/docker-client.ts';
import { people } from '../fixtures/people.ts';
import { quayside } from '../fixtures/quayside.ts';
import type { Scenario } from '../scenario.ts';

const farm = 'build-farm.test';
const pulled = manifestPath(tags.cli);

/** Two real clusters behind one host name: each knows its own people, and decides for them. */
export const clusterSeveral: Scenario = {
  name: 'cluster-several',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const { fact } = scene;
    const stand = await clusterStand(scene);
    const other = await cluster(scene, 'farm');
    const both = await quayside(scene.stage, {
      name: 'quayside-of-both',
      upstream: stand.upstream.url,
      upstreamName,
      config: {
        clusters: {
          [farm]: { kubeconfigFile: other.ourKubeconfig },
          [clusterName]: { kubeconfigFile: stand.cluster.ourKubeconfig },
        },
        hosts: { '*': clusterHost({ clusters: [farm, clusterName] }) },
      },
    });
    const client = dockerClient(both.url, repository);
    const ours = await stand.cluster.account('builder');
    const theirs = await other.account('builder');
    await stand.cluster.letPull('ocp', ['--serviceaccount=ci:builder']);

    await fact(
      'an account is judged by the cluster that knows it, though both have one of that name',
      async () => {
        assert.equal((await pull(client, ours.token)).status, 200);
        const refused = await pull(client, theirs.token);
        assert.deepEqual([refused.status, refused.code], [403, 'DENIED']);
        assert.ok(refused.message.includes(farm), refused.message);
      },
    );
    await fact('a right in the cluster that knows the account is what counts', async () => {
      const late = await other.account('late-builder');
      await other.letPull('ocp', ['--serviceaccount=ci:late-builder']);
      assert.equal((await pull(client, late.token)).status, 200);
    });
    await fact('a token that no cluster knows is 401', async () =>
      assert.equal((await client.login('sha256~nobody')).status, 401),
    );
    await other.kill();
    await fact('with one cluster gone, the people of the other are let in', async () =>
      assert.equal((await pull(client, people.alice.token)).status, 200),
    );
    await fact('a token that only the one that is gone could know is 503: it may be right', async () => {
      const { status, headers } = await client.login('sha256~of-the-farm');
      assert.equal(status, 503);
      assert.ok(Number(headers['retry-after']) > 0);
    });
  },
};

async function pull(client: DockerClient, credential: string) {
  return client.get(pulled, await client.token(credential));
}
