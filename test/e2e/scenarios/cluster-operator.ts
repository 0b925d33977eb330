import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../support/program.ts';
import { clusterName } from '../fixtures/cluster.ts';
import {
  type ClusterStand,
  clusterHost,
  clusterStand,
  manifestPath,
  repository,
  tags,
} from '../fixtures/cluster-stand.ts';
import { type DockerClient, dockerClient } from '../fixtures/docker-client.ts';
import { largest } from '../fixtures/images.ts';
import { people } from '../fixtures/people.ts';
import { command } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const pulled = manifestPath(tags.cli);

/**
 * What an operator does while people pull with their logins of a real cluster: ask why, take back,
 * restart, switch over.
 */
export const clusterOperator: Scenario = {
  name: 'cluster-operator',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const tokenSecretFile = join(scene.stage.directory, 'token-secret');
    await writeFile(tokenSecretFile, 'a secret of thirty-two bytes or more', { mode: 0o600 });
    const stand = await clusterStand(scene, { config: { hosts: { '*': clusterHost({ tokenSecretFile }) } } });
    const client = dockerClient(stand.proxy.url, repository);
    await reasons(scene, stand, client);
    await takenBack(scene, stand, client);
    await restarted(scene, stand, client);
    await switched(scene, stand, client);
  },
};

async function reasons(scene: Scene, { proxy, images }: ClusterStand, client: DockerClient): Promise<void> {
  const check = (reference: string, ...who: readonly string[]) => {
    const args = [command, 'access', 'check', '--config', proxy.configFile, ...who, reference];
    return scene.stage.run(process.execPath, args, { mayFail: true });
  };
  const alice = ['--as', 'alice', '--groups', 'ocp-readers'];

  await scene.fact('access check says which binding allows a pull', async () => {
    const { code, stdout, stderr } = await check(`${repository}:${tags.cli}`, ...alice);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /RoleBinding "qci-image-puller\/ocp"/);
  });
  await scene.fact(
    'access check says which question was answered with no, and by which cluster',
    async () => {
      const { code, stdout } = await check(`${repository}:${tags.cli}`, '--as', 'bob');
      assert.equal(code, 1, stdout);
      for (const word of ['imagestreams', '4.20', 'ocp', clusterName])
        assert.ok(stdout.includes(word), stdout);
    },
  );
  await scene.fact('access check knows what tags lead to, from the store that is in use', async () => {
    for (const tag of [tags.cli, tags.secret])
      await client.get(manifestPath(tag), await client.token(people.admin.token));
    const digestOf = (name: 'cli' | 'secret') => `${repository}@${images[name].root.descriptor.digest}`;
    await until('it is written', async () => (await check(digestOf('cli'), ...alice)).code === 0);
    assert.equal((await check(digestOf('secret'), ...alice)).code, 1);
  });
}

async function takenBack(
  scene: Scene,
  { cluster, proxy }: ClusterStand,
  client: DockerClient,
): Promise<void> {
  const token = await client.token(people.alice.token);
  const status = async () => (await client.get(pulled, token)).status;

  await scene.fact(
    'a right that is remembered goes on for minutes, and ends with access forget',
    async () => {
      assert.equal(await status(), 200);
      await cluster.kubectl(['delete', 'rolebinding', 'qci-image-puller', '--namespace=ocp']);
      assert.equal(await status(), 200);
      await scene.stage.run(process.execPath, [command, 'access', 'forget', '--config', proxy.configFile]);
      assert.equal(await status(), 403);
    },
  );
  await scene.fact('a refusal that is remembered ends with SIGHUP', async () => {
    await cluster.applyRights();
    assert.equal(await status(), 403);
    proxy.hangUp();
    await until('the right is back', async () => (await status()) === 200);
  });
}

async function restarted(scene: Scene, stand: ClusterStand, client: DockerClient): Promise<void> {
  const { proxy, upstream, images } = stand;
  const [alice, admin] = [await client.token(people.alice.token), await client.token(people.admin.token)];
  const [open, secret] = [blobPath(images.cli), blobPath(images.secret)];
  await client.get(open, admin);
  await client.get(secret, admin);
  await proxy.stop();
  upstream.down = true;
  await proxy.start();

  await scene.fact('after a restart the tokens from before still work, without the upstream', async () =>
    assert.equal((await client.get(open, alice)).status, 200),
  );
  await scene.fact('and by digest the same rights hold as before, on what is stored', async () => {
    assert.equal((await client.get(secret, alice)).status, 403);
    assert.equal((await client.get(secret, admin)).status, 200);
  });
  upstream.down = false;
}

async function switched(scene: Scene, stand: ClusterStand, client: DockerClient): Promise<void> {
  const { proxy, upstream, images } = stand;
  const path = blobPath(images.cli);
  const edited = async (from: string, to: string) => {
    const text = await readFile(proxy.configFile, 'utf8');
    assert.ok(text.includes(from));
    await writeFile(proxy.configFile, text.replace(from, to));
    proxy.hangUp();
  };
  const isAsked = async () => {
    upstream.passed.length = 0;
    assert.equal((await client.get(path, await client.token(people.alice.token))).status, 200);
    return upstream.passed.some((each) => each.path.includes('/blobs/'));
  };

  await scene.fact(
    'blobs: bypass, switched on while it runs, has the upstream asked for each blob',
    async () => {
      assert.equal(await isAsked(), false);
      await edited('"access": "imagestream"', '"access": "imagestream", "blobs": "bypass"');
      await until('it is taken up', isAsked);
    },
  );
  await scene.fact('and switched off again, has the store answer', async () => {
    await edited(', "blobs": "bypass"', '');
    await until('it is taken up', async () => !(await isAsked()));
  });
  await scene.fact('a right is asked for all the while', async () =>
    assert.equal((await client.get(path, await client.token(people.bob.token))).status, 403),
  );
}

function blobPath(image: ClusterStand['images']['cli']): string {
  return `${repository}/blobs/${largest(image).descriptor.digest}`;
}
