import assert from 'node:assert/strict';
import { pushImage } from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { clusterName, ourself } from '../fixtures/cluster.ts';
import {
  type ClusterStand,
  clusterHost,
  clusterStand,
  manifestPath,
  repository,
  tags,
  upstreamName,
} from '../fixtures/cluster-stand.ts';
import { dockerClient } from '../fixtures/docker-client.ts';
import { largest } from '../fixtures/images.ts';
import { people } from '../fixtures/people.ts';
import { quayside } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const issuer = 'https://kubernetes.default.svc';
const own = 'own.test';
const hosts = {
  'stream.example': clusterHost(),
  'parity.example': clusterHost({ access: 'parity' }),
  'repository.example': clusterHost({ access: 'repository' }),
  'open.example': clusterHost({ access: 'open' }),
  'listing.example': clusterHost({ listings: 'refuse' }),
  'bypass.example': clusterHost({ blobs: 'bypass' }),
  'own.example': clusterHost({ access: own }),
};
const rules = {
  [own]: [
    { name: 'tools', repositories: '.*', tags: 'public_.*', allow: true },
    { name: 'the rest', repositories: '.*', ask: { namespace: 'ocp-priv' } },
  ],
};

/**
 * One service under many names, each with rules of its own, and a real API server that is asked by
 * all of them.
 */
export const clusterHosts: Scenario = {
  name: 'cluster-hosts',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const stand = await clusterStand(scene, { hosts, config: { rules } });
    await access(scene, stand);
    await blobs(scene, stand);
    await localCheck(scene, stand);
  },
};

/** The status that a person gets for a path under a host name. */
type Tried = (host: keyof typeof hosts, person: keyof typeof people, path: string) => Promise<number>;

function trier({ proxy }: ClusterStand): Tried {
  return async (host, person, path) => {
    const [from = ''] = path.split(/\/(?:manifests|blobs|tags)\//);
    const client = dockerClient(proxy.url, from, host);
    return (await client.get(path, await client.token(people[person].token))).status;
  };
}

async function access({ fact }: Scene, stand: ClusterStand): Promise<void> {
  const tried = trier(stand);
  const account = await stand.cluster.account('passer-by');
  const [cli, secret, tools] = [manifestPath(tags.cli), manifestPath(tags.secret), manifestPath(tags.tools)];

  await fact('imagestream: each tag asks about its own image stream', async () => {
    assert.deepEqual(
      [await tried('stream.example', 'alice', cli), await tried('stream.example', 'alice', secret)],
      [200, 403],
    );
  });
  await fact(
    'parity: a subject that may pull from ocp may pull all, and so may every service account',
    async () => {
      assert.deepEqual(
        [await tried('parity.example', 'alice', cli), await tried('parity.example', 'alice', secret)],
        [200, 200],
      );
      assert.equal(await tried('parity.example', 'bob', cli), 403);
      const client = dockerClient(stand.proxy.url, repository, 'parity.example');
      assert.equal((await client.get(secret, await client.token(account.token))).status, 200);
    },
  );
  await fact('repository: the path is namespace and image stream', async () => {
    for (const name of ['ocp/cli', 'ocp-priv/cli'])
      await pushImage(stand.upstream.url, name, 'latest', stand.images.cli);
    assert.equal(await tried('repository.example', 'alice', 'ocp/cli/manifests/latest'), 200);
    assert.equal(await tried('repository.example', 'alice', 'ocp-priv/cli/manifests/latest'), 403);
    assert.equal(await tried('repository.example', 'bob', 'ocp/cli/manifests/latest'), 403);
  });
  await fact('open: a login is enough, and needed', async () => {
    assert.equal(await tried('open.example', 'bob', secret), 200);
    assert.equal((await dockerClient(stand.proxy.url, repository, 'open.example').get(secret)).status, 401);
  });
  await fact('rules of our own: the first that fits decides', async () => {
    assert.equal(await tried('own.example', 'bob', tools), 200);
    assert.equal(await tried('own.example', 'alice', cli), 403);
    assert.equal(await tried('own.example', 'admin', cli), 200);
  });
  await fact('listings: refuse hides the tags of a repository that holds many streams', async () => {
    for (const person of ['alice', 'admin'] as const)
      assert.equal(await tried('listing.example', person, `${repository}/tags/list`), 403);
  });
}

async function blobs({ fact }: Scene, stand: ClusterStand): Promise<void> {
  const tried = trier(stand);
  const { digest } = largest(stand.images.cli).descriptor;
  const path = `${repository}/blobs/${digest}`;

  await fact('blobs: bypass asks the upstream each time, after the same question', async () => {
    await tried('bypass.example', 'alice', manifestPath(tags.cli));
    stand.upstream.passed.length = 0;
    for (let time = 0; time < 2; time += 1) assert.equal(await tried('bypass.example', 'alice', path), 200);
    assert.equal(stand.upstream.passed.filter((each) => each.path.includes(digest)).length, 2);
    assert.equal(await tried('bypass.example', 'bob', path), 403);
    assert.equal(stand.upstream.passed.filter((each) => each.path.includes(digest)).length, 2);
  });
}

async function localCheck({ stage, fact }: Scene, { cluster, upstream }: ClusterStand): Promise<void> {
  const serviceAccountTokens = { check: 'local', issuer, localMs: '3s' };
  const local = await quayside(stage, {
    ...{ name: 'quayside-local', upstream: upstream.url, upstreamName },
    config: {
      clusters: { [clusterName]: { kubeconfigFile: cluster.ourKubeconfig, serviceAccountTokens } },
      hosts: { '*': clusterHost({ access: 'parity' }) },
    },
  });
  const client = dockerClient(local.url, repository);
  const tokenReviews = async () =>
    (await cluster.reviews(ourself)).filter(({ kind }) => kind === 'token').length;

  await fact('check: local takes a bound token by its signature, without a question', async () => {
    const { token } = await cluster.account('signed');
    const before = await tokenReviews();
    assert.equal((await client.login(token)).status, 200);
    assert.equal(await tokenReviews(), before);
  });
  await fact('and not one whose signature is another', async () => {
    const { token } = await cluster.account('forged');
    const [head = '', , signature = ''] = token.split('.');
    const claims = Buffer.from(
      JSON.stringify({ iss: issuer, aud: [issuer], sub: 'system:serviceaccount:ci:x' }),
    );
    const before = await tokenReviews();
    assert.equal((await client.login(`${head}.${claims.toString('base64url')}.${signature}`)).status, 401);
    assert.equal(await tokenReviews(), before);
  });
  await fact('after its time the cluster is asked, and an account that is gone is refused', async () => {
    const { token } = await cluster.account('gone');
    assert.equal((await client.login(token)).status, 200);
    await cluster.kubectl(['delete', 'serviceaccount', 'gone', '--namespace=ci']);
    await until('the cluster is asked', async () => (await client.login(token)).status === 401);
  });
}
