import assert from 'node:assert/strict';
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
import { people } from '../fixtures/people.ts';
import { pod } from '../fixtures/pod.ts';
import { quayside } from '../fixtures/quayside.ts';
import type { Scenario, Scene } from '../scenario.ts';

const pulled = manifestPath(tags.cli);
const remember = { tokenMs: '200ms', badTokenMs: '200ms', allowMs: '200ms', denyMs: '200ms' };
/** An API server sees a changed binding within seconds, Quayside a changed file within 1 s. */
const noticedMs = 10_000;

/** Who Quayside itself is in the cluster, and that it needs no more than it is given. */
export const clusterOurself: Scenario = {
  name: 'cluster-ourself',
  needs: ['docker-registry', 'kubernetes', 'unshare'],
  async play(scene) {
    const stand = await clusterStand(scene, { remember });
    await rights(scene, stand);
    await inAPod(scene, stand);
    await withoutTheRight(scene, stand);
  },
};

async function rights({ fact }: Scene, { cluster }: ClusterStand): Promise<void> {
  const asOurself = { kubeconfig: cluster.ourKubeconfig };
  await fact('Quayside may ask about tokens and rights, read image streams, and nothing else', async () => {
    const { stdout } = await cluster.kubectl(['auth', 'can-i', '--list', '--no-headers'], asOurself);
    const resources = stdout.split('\n').filter((line) => /^\S/.test(line));
    const found = resources.map((line) => [line.split(/\s+/)[0] ?? '', verbsOf(line)] as const);
    assert.deepEqual(new Map(found), new Map(Object.entries(rightsOfOurs)));
  });
  await fact('Quayside may read no secret and no namespace', async () => {
    for (const what of ['secrets', 'namespaces']) {
      const { code, stderr } = await cluster.kubectl(['get', what, '-A'], { ...asOurself, mayFail: true });
      assert.notEqual(code, 0);
      assert.match(stderr, /forbidden/i);
    }
  });
}

/**
 * All that `deploy/rbac` gives it outside its own namespace: `system:auth-delegator`, the questions
 * about oneself that every login may ask, and to follow image streams.
 */
const rightsOfOurs: Readonly<Record<string, readonly string[]>> = {
  'tokenreviews.authentication.k8s.io': ['create'],
  'subjectaccessreviews.authorization.k8s.io': ['create'],
  'selfsubjectreviews.authentication.k8s.io': ['create'],
  'selfsubjectaccessreviews.authorization.k8s.io': ['create'],
  'selfsubjectrulesreviews.authorization.k8s.io': ['create'],
  'imagestreams.image.openshift.io': ['get', 'list', 'watch'],
};

/** Of a line of `kubectl auth can-i --list`: its last column. */
function verbsOf(line: string): readonly string[] {
  const [, verbs = ''] = /\[([^\]]*)\]\s*$/.exec(line) ?? [];
  return verbs.split(' ').toSorted();
}

async function inAPod(scene: Scene, { cluster, upstream }: ClusterStand): Promise<void> {
  const tokens = [
    await cluster.boundToken('quayside:quayside'),
    await cluster.boundToken('quayside:quayside'),
  ];
  const [first = '', second = ''] = tokens;
  const { inside, env, replaceToken } = await pod(scene, cluster, first);
  const inner = await quayside(scene.stage, {
    ...{ name: 'quayside-in-a-pod', upstream: upstream.url, upstreamName, inside, env },
    config: { clusters: { [clusterName]: { remember } }, hosts: { '*': clusterHost() } },
  });
  const client = dockerClient(inner.url, repository);
  const lastCredential = async () => (await cluster.reviews(ourself)).at(-1)?.credential;

  await scene.fact(
    'without a kubeconfig it asks the cluster that its pod runs in, as its account',
    async () => {
      assert.equal((await client.get(pulled, await client.token(people.alice.token))).status, 200);
      assert.equal(await lastCredential(), credentialOf(first));
    },
  );
  await scene.fact('a token that the kubelet replaces is the one that it shows from then on', async () => {
    await replaceToken(second);
    const isShown = async () => {
      await client.token(people.alice.token);
      return (await lastCredential()) === credentialOf(second);
    };
    await until('the other token is shown', isShown, noticedMs);
  });
}

async function withoutTheRight({ fact }: Scene, { cluster, proxy }: ClusterStand): Promise<void> {
  const client = dockerClient(proxy.url, repository);
  const login = async () => (await client.login(people.alice.token)).status;

  await fact('without its right it answers 503: no question was answered with no', async () => {
    assert.equal(await login(), 200);
    await cluster.kubectl(['delete', 'clusterrolebinding', 'quayside-auth-delegator']);
    await until('the right is gone', async () => (await login()) !== 200, noticedMs);
    assert.equal(await login(), 503);
  });
  await fact('and its log says that it is not allowed to ask, and of which cluster', async () => {
    const words = new RegExp(`"cluster":"${clusterName}"[^\n]*"not-allowed-to-ask"`);
    await until('the log line', async () => words.test(await proxy.output()));
  });
  await fact('with the right back, so are the logins', async () => {
    await cluster.applyRights();
    await until('logins work', async () => (await login()) === 200, noticedMs);
  });
}

/** As an API server calls a token in its audit log. */
function credentialOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    jti: string;
  };
  return `JTI=${claims.jti}`;
}
