import assert from 'node:assert/strict';
import { until } from '../../support/program.ts';
import { clusterName, ourself } from '../fixtures/cluster.ts';
import {
  type ClusterStand,
  clusterStand,
  contentPaths,
  manifestPath,
  repository,
  tags,
} from '../fixtures/cluster-stand.ts';
import { type DockerClient, dockerClient } from '../fixtures/docker-client.ts';
import { people } from '../fixtures/people.ts';
import type { Scenario, Scene } from '../scenario.ts';

const herd = 200;
const mostConnections = 8;
const recoveryMs = 30_000;
/** Quayside's own for one question. */
const timeoutMs = 3_000;
const slackMs = 2_000;
const pulled = manifestPath(tags.cli);

/**
 * How often a real API server is asked, with what, over how many connections, and what happens when
 * it is gone.
 */
export const clusterReviews: Scenario = {
  name: 'cluster-reviews',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const stand = await clusterStand(scene);
    const client = dockerClient(stand.proxy.url, repository);
    await questions(scene, stand, client);
    await herds(scene, stand, client);
    await frozen(scene, stand, client);
    await gone(scene, stand, client);
  },
};

async function questions({ fact }: Scene, { cluster }: ClusterStand, client: DockerClient): Promise<void> {
  await fact('a review of rights carries all that the cluster said about the account', async () => {
    const { name, token } = await cluster.account('asker');
    const uid = await cluster.kubectl(['get', 'sa', 'asker', '-n', 'ci', '-o', 'jsonpath={.metadata.uid}']);
    assert.equal((await client.get(pulled, await client.token(token))).status, 403);
    const spec = (await cluster.reviews(ourself)).findLast((review) => review.spec?.user === name)?.spec;
    assert.equal(spec?.uid, uid.stdout);
    assert.ok(spec.groups?.includes('system:serviceaccounts:ci'));
    assert.ok((spec.extra?.['authentication.kubernetes.io/credential-id'] ?? []).length > 0);
  });
  await fact('the question is the image stream that the tag names', async () => {
    const [last] = (await cluster.reviews(ourself)).slice(-1);
    const { version: _, ...attributes } = last?.spec?.resourceAttributes ?? {};
    assert.deepEqual(attributes, {
      verb: 'get',
      group: 'image.openshift.io',
      resource: 'imagestreams',
      subresource: 'layers',
      namespace: 'ocp',
      name: '4.20',
    });
  });
}

async function herds({ fact }: Scene, { cluster }: ClusterStand, client: DockerClient): Promise<void> {
  const asked = async (kind: 'token' | 'access') =>
    (await cluster.reviews(ourself)).filter((review) => review.kind === kind).length;

  await fact(`${herd} logins of one token at once are one TokenReview`, async () => {
    const { token } = await cluster.account('crowd');
    const before = await asked('token');
    const answers = await Promise.all(Array.from({ length: herd }, () => client.login(token)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal((await asked('token')) - before, 1);
  });
  await fact(`${herd} pulls of one subject at once are one SubjectAccessReview`, async () => {
    const token = await client.token(people.alice.token);
    const before = await asked('access');
    const answers = await Promise.all(Array.from({ length: herd }, () => client.get(pulled, token)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal((await asked('access')) - before, 1);
  });
  await fact(`${herd} different questions at once need a handful of connections`, async () => {
    const token = await client.token(people.alice.token);
    const [reviews, connections] = [await asked('access'), cluster.way.opened()];
    const unheardOf = Array.from({ length: herd }, (_, index) => manifestPath(`ocp_${index}_cli`));
    const answers = await Promise.all(unheardOf.map((path) => client.get(path, token)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([404]));
    assert.equal((await asked('access')) - reviews, herd);
    const opened = cluster.way.opened() - connections;
    assert.ok(opened <= mostConnections, `${opened} connections`);
  });
  await fact('every review was one that the API server takes', async () => {
    const reviews = await cluster.reviews(ourself);
    assert.deepEqual(new Set(reviews.map(({ status }) => status)), new Set([201]));
  });
}

async function frozen({ fact }: Scene, { cluster }: ClusterStand, client: DockerClient): Promise<void> {
  const alice = await client.token(people.alice.token);
  await client.get(pulled, alice);
  const thaw = cluster.freeze();
  await fact('a silent API server is given up in time, and meanwhile no other client waits', async () => {
    const startedAt = performance.now();
    const hanging = client.login(people.carol.token);
    assert.equal((await client.get(pulled, alice)).status, 200);
    assert.ok(performance.now() - startedAt < timeoutMs / 2);
    assert.equal((await hanging).status, 503);
    assert.ok(performance.now() - startedAt < timeoutMs + slackMs);
  });
  thaw();
  await fact('and once it speaks again, who was put off is let in', async () => {
    const isLetIn = async () => (await client.login(people.carol.token)).status === 200;
    await until('the cluster is asked again', isLetIn, recoveryMs);
  });
}

async function gone(
  { fact }: Scene,
  { cluster, proxy, images }: ClusterStand,
  client: DockerClient,
): Promise<void> {
  const alice = await client.token(people.alice.token);
  for (const path of [pulled, ...contentPaths(images.cli)]) await client.get(path, alice);
  await cluster.kill();

  await fact('with the API server killed, a token never seen is 503 with a time to come back', async () => {
    const { status, code, headers } = await client.login(people.bob.token);
    assert.deepEqual([status, code], [503, 'UNAVAILABLE']);
    assert.ok(Number(headers['retry-after']) > 0);
  });
  await fact('a question never asked is 503 as well, neither a yes nor a no', async () => {
    const { status, headers } = await client.get(manifestPath(tags.secret), alice);
    assert.equal(status, 503);
    assert.ok(Number(headers['retry-after']) > 0);
  });
  await fact('remembered subjects are still served, logins too', async () => {
    const again = await client.token(people.alice.token);
    for (const token of [alice, again])
      for (const path of [pulled, ...contentPaths(images.cli)])
        assert.equal((await client.get(path, token)).status, 200);
  });
  await fact('the log says that the API server cannot be reached', async () => {
    const words = new RegExp(`"cluster":"${clusterName}"[^\n]*"unreachable"`);
    await until('the log line', async () => words.test(await proxy.output()));
  });
  await cluster.start();
  await fact('once it is back, so are all subjects', async () => {
    const isLetIn = async () => (await client.login(people.bob.token)).status === 200;
    await until('the cluster is asked again', isLetIn, recoveryMs);
  });
}
