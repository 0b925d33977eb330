import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generatedImage, pushImage } from '../../support/images.ts';
import { freePort, until } from '../../support/program.ts';
import { type Cluster, cluster, clusterName } from '../fixtures/cluster.ts';
import { clusterHost, manifestPath, repository, tags, upstreamName } from '../fixtures/cluster-stand.ts';
import { type DockerClient, dockerClient } from '../fixtures/docker-client.ts';
import { withStreams } from '../fixtures/image-streams.ts';
import { people } from '../fixtures/people.ts';
import { command, type Quayside, quayside } from '../fixtures/quayside.ts';
import { registry } from '../fixtures/registry.ts';
import type { Scenario, Scene } from '../scenario.ts';

/** Why a pull fails, asked of a server and of its store, with the rights of a real cluster. */
export const explain: Scenario = {
  name: 'explain',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const stand = await explainStand(scene);
    await asOperator(scene, stand);
    await asSubject(scene, stand);
    await withoutServer(scene, stand);
  },
};

interface Stand {
  readonly cluster: Cluster;
  readonly proxy: Quayside;
  readonly client: DockerClient;
  readonly digest: string;
  /** The file with the token of an operator who may impersonate. */
  readonly operator: string;
}

/** The stream `ocp/4.20` with one tag, whose image is in the flat repository. */
async function explainStand(scene: Scene): Promise<Stand> {
  const [upstream, server] = await Promise.all([registry(scene), cluster(scene)]);
  const streams = await withStreams(scene, server);
  const image = await generatedImage({ seed: 'cli', layers: [3_000, 20_000], mediaTypes: 'oci' });
  await pushImage(upstream.url, repository, tags.cli, image);
  const { digest } = image.root.descriptor;
  await streams.put('ocp/4.20', { cli: digest }, `quay-proxy.ci.openshift.org/${repository}`);
  const kubeconfigFile = await server.kubeconfig(
    'explaining',
    await server.boundToken('quayside:quayside'),
    streams.way,
  );
  const adminPort = await freePort();
  const started = await quayside(scene.stage, {
    upstream: upstream.url,
    upstreamName,
    config: {
      clusters: { [clusterName]: { kubeconfigFile } },
      hosts: { '*': clusterHost() },
      admin: { listen: `127.0.0.1:${adminPort}`, cluster: clusterName },
    },
  });
  const proxy = { ...started, admin: `http://127.0.0.1:${adminPort}` };
  const { name, token } = await server.account('operator');
  const binding = ['create', 'clusterrolebinding'];
  await server.kubectl([...binding, 'viewer', '--clusterrole=quayside-viewer', `--user=${name}`]);
  await server.kubectl(['create', 'clusterrole', 'as', '--verb=impersonate', '--resource=users,groups']);
  await server.kubectl([...binding, 'as', '--clusterrole=as', `--user=${name}`]);
  const operator = join(scene.stage.directory, 'operator-token');
  await writeFile(operator, token);
  return { cluster: server, proxy, client: dockerClient(proxy.url, repository), digest, operator };
}

function explained(scene: Scene, ...words: readonly string[]) {
  return scene.stage.run(process.execPath, [command, 'explain', ...words], { mayFail: true });
}

async function asOperator(scene: Scene, { cluster: judge, proxy, client, digest, operator }: Stand) {
  const ask = (...words: readonly string[]) =>
    explained(scene, '--admin', proxy.admin, '--token-file', operator, ...words);
  await scene.fact(
    'an image that can be pulled is well: the stream, the right, the tag, the content',
    async () => {
      const { status } = await client.get(manifestPath(tags.cli), await client.token(people.alice.token));
      assert.equal(status, 200);
      const { code, stdout, stderr } = await ask('--as', 'alice', '--groups', 'ocp-readers', 'ocp/4.20:cli');
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, new RegExp(`^ 0 ✓ image stream ocp/4\\.20:cli is ${digest}`, 'm'));
      assert.match(stdout, /^ 3 ✓ rights +alice may pull it$/m);
      assert.match(stdout, new RegExp(`^ 4 ✓ tag .* is ${digest}`, 'm'));
      assert.match(stdout, /^ 6 ✓ upstream/m);
    },
  );
  await scene.fact('the RoleBinding that step 3 prints makes the pull possible', async () => {
    const { code, stdout } = await ask('--as', 'bob', 'ocp_4.20_cli');
    assert.equal(code, 1, stdout);
    const [, words = ''] = /^ +do: +oc (.*)$/m.exec(stdout) ?? [];
    assert.match(
      words,
      /^-n ocp create rolebinding quayside-pull --clusterrole system:image-puller --user 'bob'$/,
    );
    const args = words.replace('system:image-puller', 'image-puller').replaceAll("'", '').split(' ');
    await judge.kubectl(args);
    await scene.stage.run(process.execPath, [command, 'access', 'forget', '--admin', proxy.admin]);
    const after = await ask('--as', 'bob', 'ocp_4.20_cli');
    assert.equal(after.code, 0, after.stdout);
    await judge.kubectl(['delete', 'rolebinding', 'quayside-pull', '--namespace=ocp']);
    await scene.stage.run(process.execPath, [command, 'access', 'forget', '--admin', proxy.admin]);
  });
}

async function asSubject(scene: Scene, { proxy, client }: Stand) {
  const file = (name: string) => join(scene.stage.directory, `${name}-token`);
  for (const name of ['alice', 'bob'] as const) await writeFile(file(name), people[name].token);
  const ask = (name: string, ...words: readonly string[]) =>
    explained(scene, '--admin', proxy.admin, '--token-file', file(name), ...words);
  const refused = await client.get(manifestPath(tags.cli), await client.token(people.bob.token));
  const id = String(refused.headers['x-request-id']);
  await scene.fact(
    'a refused request is explained to its own user by its id, and to no other user',
    async () => {
      assert.equal(refused.status, 403);
      const own = await ask('bob', id);
      assert.equal(own.code, 1, own.stderr);
      assert.match(own.stdout, /403 DENIED/);
      const other = await ask('alice', id);
      assert.equal(other.code, 2, other.stdout);
      assert.match(other.stderr, /no request of yours/);
    },
  );
  await scene.fact(
    'a user cannot look through the eyes of another, nor see what it may not pull',
    async () => {
      const { code, stderr } = await ask('bob', '--as', 'alice', 'ocp/4.20:cli');
      assert.equal(code, 2);
      assert.match(stderr, /grants no right to impersonate/);
      const { stdout } = await ask('bob', 'ocp/4.20:cli');
      assert.match(stdout, /^ 4 \? tag +not shown/m);
      assert.doesNotMatch(stdout, /sha256:/);
    },
  );
}

async function withoutServer(scene: Scene, { proxy, digest }: Stand) {
  await proxy.stop();
  const before = (await readdir(proxy.folder, { recursive: true })).toSorted();
  await scene.fact(
    'without a server the store and the cluster say the same, and nothing is written',
    async () => {
      await until('the records', async () => before.some((name) => name.includes('_tags')));
      const who = ['--as', 'alice', '--groups', 'ocp-readers'];
      const { code, stdout, stderr } = await explained(
        scene,
        '--config',
        proxy.configFile,
        ...who,
        'ocp/4.20:cli',
      );
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, new RegExp(`^ 4 ✓ tag .* is ${digest}`, 'm'));
      assert.match(stdout, /^ 3 ✓ rights +alice may pull it$/m);
      assert.deepEqual((await readdir(proxy.folder, { recursive: true })).toSorted(), before);
    },
  );
}
