import assert from 'node:assert/strict';
import { until } from '../../support/program.ts';
import { clusterName } from '../fixtures/cluster.ts';
import {
  type ClusterStand,
  clusterHost,
  clusterStand,
  contentPaths,
  manifestPath,
  repository,
  tags,
} from '../fixtures/cluster-stand.ts';
import { type DockerClient, dockerClient } from '../fixtures/docker-client.ts';
import { people } from '../fixtures/people.ts';
import type { Scenario, Scene } from '../scenario.ts';

const allowMs = 2_000;
const slackMs = 3_000;
/** For this long an API server itself takes a token without looking again. */
const apiserverMs = 10_000;
const largestToken = 6 * 1024;

/** A real API server decides who pulls what from one flat repository. */
export const clusterRbac: Scenario = {
  name: 'cluster-rbac',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const stand = await clusterStand(scene, {
      remember: { tokenMs: '1s', badTokenMs: '500ms', allowMs: `${allowMs}ms`, denyMs: '500ms' },
      hosts: { localhost: clusterHost({ anonymous: true }) },
    });
    const client = dockerClient(stand.proxy.url, repository);
    await logins(scene, stand, client);
    await rights(scene, stand, client);
    await digests(scene, stand, client);
    await listings(scene, client);
    await anonymous(scene, stand);
    await revocation(scene, stand, client);
  },
};

async function logins({ fact }: Scene, { proxy }: ClusterStand, client: DockerClient): Promise<void> {
  await fact('without a credential a pull is 401, and the challenge names our token end-point', async () => {
    const { status, code, headers } = await client.get(manifestPath(tags.cli));
    assert.deepEqual([status, code], [401, 'UNAUTHORIZED']);
    const challenge = `Bearer realm="${proxy.url}/v2/auth",service="${proxy.host}"`;
    const shown = headers['www-authenticate'] ?? '';
    assert.ok(shown.startsWith(challenge), shown);
  });
  await fact(
    'a token that the cluster does not know is 401 at the token end-point and as a bearer',
    async () => {
      assert.equal((await client.login('sha256~nobody')).status, 401);
      assert.equal((await client.get(manifestPath(tags.cli), 'sha256~nobody')).status, 401);
    },
  );
  await fact('a login is answered in all the words that clients know', async () => {
    const { status, body } = await client.login(people.alice.token);
    assert.equal(status, 200);
    const told = JSON.parse(body.toString()) as Record<string, unknown>;
    assert.equal(told['token'], told['access_token']);
    assert.ok(Number(told['expires_in']) >= 60);
    assert.ok(!Number.isNaN(Date.parse(String(told['issued_at']))));
  });
  await fact('the name in a login is not looked at: any, with a colon, or none', async () => {
    for (const name of ['alice', 'bob', 'kube:admin', '']) {
      const authorization = `Basic ${Buffer.from(`${name}:${people.alice.token}`).toString('base64')}`;
      assert.equal((await client.get('auth', undefined, { authorization })).status, 200, name);
    }
  });
  await fact('the token of a subject in 2,000 groups is small enough for any header', async () => {
    const token = await client.token(people.carol.token);
    assert.ok(token.length < largestToken, `${token.length} bytes`);
  });
}

async function rights({ fact }: Scene, { cluster, images, upstream }: ClusterStand, client: DockerClient) {
  const [puller, stranger] = [await cluster.account('puller'), await cluster.account('stranger')];
  await cluster.letPull('ocp', ['--serviceaccount=ci:puller']);
  const expected = Buffer.from(images.cli.root.bytes);

  for (const [who, credential] of [
    ['a person of a group that may pull', people.alice.token],
    ['a person in 2,000 groups, the last of which may pull', people.carol.token],
    ['a service account with a bound token that may pull', puller.token],
  ] as const) {
    await fact(`${who} gets the image`, async () => {
      const { status, body, message } = await client.get(
        manifestPath(tags.cli),
        await client.token(credential),
      );
      assert.equal(status, 200, message);
      assert.deepEqual(body, expected);
    });
  }
  for (const [who, credential] of [
    ['a person without the right', people.bob.token],
    ['a service account without the right', stranger.token],
  ] as const) {
    await fact(`${who} is told which question was asked of which cluster`, async () => {
      const answer = await client.get(manifestPath(tags.cli), await client.token(credential));
      assert.deepEqual([answer.status, answer.code], [403, 'DENIED']);
      for (const word of ['imagestreams', 'layers', '4.20', 'ocp', clusterName])
        assert.ok(answer.message.includes(word), `${word} is not in: ${answer.message}`);
    });
  }
  await fact('a right in one namespace is none in another', async () => {
    const token = await client.token(people.alice.token);
    assert.equal((await client.get(manifestPath(tags.secret), token)).status, 403);
    assert.equal((await client.get(manifestPath(tags.cli), token)).status, 200);
  });
  await fact('the upstream never sees a credential of a client', () => {
    const shown = JSON.stringify(upstream.passed.map(({ path, headers }) => [path, headers]));
    assert.ok(upstream.passed.length > 0);
    assert.doesNotMatch(shown, /authorization|sha256~|eyJ/i);
  });
}

async function digests({ fact }: Scene, { images }: ClusterStand, client: DockerClient): Promise<void> {
  const [alice, bob] = [await client.token(people.alice.token), await client.token(people.bob.token)];
  await client.get(manifestPath(tags.secret), await client.token(people.admin.token));
  const [open, secret] = [contentPaths(images.cli), contentPaths(images.secret)];
  const shared = open.filter((path) => secret.includes(path));

  await fact('two images share a blob and are not the same', () => {
    assert.equal(shared.length, 1);
    assert.ok(secret.length > 1);
  });
  await fact(
    'who may pull a tag gets all that it leads to by digest, also what a secret tag shares',
    async () => {
      for (const path of open) assert.equal((await client.get(path, alice)).status, 200, path);
    },
  );
  await fact(
    'a digest that only a secret tag leads to is refused: whole, in part, and as a HEAD',
    async () => {
      for (const path of secret.filter((each) => !shared.includes(each))) {
        const answers = [
          await client.get(path, alice),
          await client.get(path, alice, { range: 'bytes=0-9' }),
          await client.head(path, alice),
        ];
        for (const { status } of answers) assert.ok(status === 403 || status === 404, `${path}: ${status}`);
      }
    },
  );
  await fact('the same digest is served to who may pull that tag', async () => {
    const admin = await client.token(people.admin.token);
    for (const path of secret) assert.equal((await client.get(path, admin)).status, 200, path);
  });
  await fact('who may pull nothing gets nothing by digest', async () => {
    for (const path of open) assert.ok([403, 404].includes((await client.get(path, bob)).status), path);
  });
}

async function listings({ fact }: Scene, client: DockerClient): Promise<void> {
  const listed = async (credential: string) => {
    const { status, body } = await client.get(`${repository}/tags/list`, await client.token(credential));
    assert.equal(status, 200, body.toString());
    return new Set((JSON.parse(body.toString()) as { tags: string[] }).tags);
  };
  await fact('a list of tags shows what may be pulled and nothing else', async () => {
    assert.deepEqual(await listed(people.alice.token), new Set([tags.cli]));
    assert.deepEqual(await listed(people.admin.token), new Set(Object.values(tags)));
  });
}

async function anonymous({ fact }: Scene, { proxy, cluster }: ClusterStand): Promise<void> {
  const closed = dockerClient(proxy.url, repository);
  const open = dockerClient(proxy.url.replace('127.0.0.1', 'localhost'), repository);
  await cluster.letPull('public', ['--group=system:unauthenticated', '--group=system:authenticated']);

  await fact('under a host that requires logins an anonymous client gets no token', async () =>
    assert.equal((await closed.login()).status, 401),
  );
  await fact(
    'under a host with anonymous access, an anonymous client pulls what is granted to all',
    async () => {
      const { status, message } = await open.get(manifestPath(tags.tools), await open.token());
      assert.equal(status, 200, message);
    },
  );
  await fact('and nothing else', async () => {
    for (const tag of [tags.cli, tags.secret]) {
      const { status } = await open.get(manifestPath(tag), await open.token());
      assert.ok(status === 401 || status === 403, `${tag}: ${status}`);
    }
  });
  await fact('a token of one host is none of another', async () => {
    const { status } = await closed.get(manifestPath(tags.tools), await open.token(people.alice.token));
    assert.equal(status, 401);
  });
}

async function revocation(
  { fact }: Scene,
  { cluster, images, proxy }: ClusterStand,
  client: DockerClient,
): Promise<void> {
  await fact('a RoleBinding that is removed ends the pulling of a token that was given before', async () => {
    const token = await client.token(people.alice.token);
    assert.equal((await client.get(manifestPath(tags.cli), token)).status, 200);
    await cluster.kubectl(['delete', 'rolebinding', 'qci-image-puller', '--namespace=ocp']);
    const isRefused = async () => (await client.get(manifestPath(tags.cli), token)).status === 403;
    await until('the right is gone', isRefused, allowMs + slackMs);
    for (const path of contentPaths(images.cli))
      assert.notEqual((await client.get(path, token)).status, 200, path);
    const { body } = await client.get(`${repository}/tags/list`, token);
    assert.ok(!body.includes(tags.cli));
  });
  await fact('a RoleBinding that comes back lets the same token in again', async () => {
    await cluster.applyRights();
    const token = await client.token(people.alice.token);
    const isServed = async () => (await client.get(manifestPath(tags.cli), token)).status === 200;
    await until('the right is back', isServed, slackMs);
  });
  await fact('a service account that is deleted cannot log in any more', async () => {
    const { token } = await cluster.account('leaver');
    assert.equal((await client.login(token)).status, 200);
    await cluster.kubectl(['delete', 'serviceaccount', 'leaver', '--namespace=ci']);
    const isRefused = async () => (await client.login(token)).status === 401;
    await until('the token is worth nothing', isRefused, apiserverMs + slackMs);
  });
  await fact('no log line holds a credential or a token', async () => {
    const log = await proxy.output();
    for (const { token } of Object.values(people)) assert.ok(!log.includes(token));
    assert.doesNotMatch(log, /eyJ[\w-]+\.eyJ/);
  });
}
