import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import {
  generatedArtifact,
  generatedImage,
  pushImage,
  referrersIndex,
  referrersTag,
} from '../../support/images.ts';
import { until } from '../../support/program.ts';
import { manifestPath, repository } from '../fixtures/cluster-stand.ts';
import type { StreamObject } from '../fixtures/image-stream-strategy.ts';
import type { Streams } from '../fixtures/image-streams.ts';
import { people } from '../fixtures/people.ts';
import type { Quayside } from '../fixtures/quayside.ts';
import {
  blobPath,
  contentOf,
  digestIn,
  each,
  promoted,
  type StreamStand,
  soonMs,
  streamNames,
  streamStand,
  tagged,
  tagsOfStream,
} from '../fixtures/stream-stand.ts';
import type { Scenario, Scene } from '../scenario.ts';

const narrow = streamNames.filter((_, at) => at % 2 === 0);
const emptyConfig = digestOf(Buffer.from('{}'));

/**
 * Digests that no tag was pulled for: the image streams of a real API server say whose they are,
 * and one who may write image streams gets nothing from it.
 */
export const clusterStreams: Scenario = {
  name: 'cluster-streams',
  needs: ['docker-registry', 'kubernetes'],
  async play(scene) {
    const stand = await streamStand(scene);
    await shown(scene, stand);
    await below(scene, stand);
    await attack(scene, stand);
    await proof(scene, stand);
    await changes(scene, stand);
  },
};

/** The account may pull every second stream by name, and nothing else. */
async function shown(
  { fact }: Scene,
  { cluster: server, streams, client, digests }: StreamStand,
): Promise<void> {
  const account = await server.account('narrow');
  const names = narrow.map((name) => `--resource-name=${name}`);
  const verb = ['--verb=get', '--resource=imagestreams.image.openshift.io/layers'];
  await server.kubectl(['create', 'role', 'narrow', '-n', 'ocp', ...verb, ...names]);
  const binding = ['--role=narrow', '--serviceaccount=ci:narrow'];
  await server.kubectl(['create', 'rolebinding', 'narrow', '-n', 'ocp', ...binding]);
  const token = await client.token(account.token);
  const before = streams.passed.length;
  await fact('a cold store: of 1,000 digests an account gets those that the cluster allows it', async () => {
    const wrong = { refusedThoughAllowed: 0, allowedThoughNot: 0, other: 0 };
    let asked = 0;
    const all = [...digests].flatMap(([name, known]) => known.map((digest) => ({ name, digest })));
    const mayPull = new Map<string, boolean>();
    for (const name of streamNames) mayPull.set(name, await streams.mayPull(account.token, 'ocp', name));
    assert.equal([...mayPull.values()].filter(Boolean).length, narrow.length);
    await each(all, async ({ name, digest }) => {
      const { status } = await client.get(manifestPath(digest), token);
      asked += 1;
      if (status !== 200 && status !== 403) wrong.other += 1;
      else if (mayPull.get(name) === true && status === 403) wrong.refusedThoughAllowed += 1;
      else if (mayPull.get(name) === false && status === 200) wrong.allowedThoughNot += 1;
    });
    assert.equal(asked, streamNames.length * tagsOfStream);
    assert.deepEqual(wrong, { refusedThoughAllowed: 0, allowedThoughNot: 0, other: 0 });
  });
  await fact('beside the watch and reviews the API server is asked nothing', () => {
    assert.deepEqual(otherRequests(streams, before), []);
  });
}

/** What is no review and no watch, since then. */
function otherRequests({ passed }: Streams, since: number): readonly string[] {
  return passed
    .slice(since)
    .filter(({ path }) => !/\/(?:token|subjectaccess)reviews$/.test(path) && !path.includes('watch=true'))
    .map(({ method, path }) => `${method} ${path}`);
}

async function below({ fact }: Scene, { client, open }: StreamStand): Promise<void> {
  const alice = await client.token(people.alice.token);
  await fact('who may read the stream gets the index, its children, configs and layers', async () => {
    for (const path of contentOf(open)) assert.equal((await client.get(path, alice)).status, 200, path);
  });
  await fact('and who may not gets none of it', async () => {
    const bob = await client.token(people.bob.token);
    await each(contentOf(open), async (path) =>
      assert.equal((await client.get(path, bob)).status, 403, path),
    );
  });
}

/** One who may edit image streams in a namespace of their own. */
interface Attacker {
  readonly token: string;
  readonly kubectl: (args: readonly string[]) => Promise<{ readonly code: number; readonly stderr: string }>;
  write(name: string, object: object): Promise<{ readonly code: number; readonly stderr: string }>;
}

async function attacker(scene: Scene, { cluster: server, streams }: StreamStand): Promise<Attacker> {
  const namespace = 'mallory';
  await server.kubectl(['create', 'namespace', namespace]);
  const account = await server.account('mallory');
  const verbs = ['--verb=get,list,create,update,patch,delete'];
  const resources = ['--resource=imagestreams.image.openshift.io,imagestreams.image.openshift.io/layers'];
  await server.kubectl(['create', 'role', 'edit', '-n', namespace, ...verbs, ...resources]);
  const binding = ['--role=edit', '--serviceaccount=ci:mallory'];
  await server.kubectl(['create', 'rolebinding', 'edit', '-n', namespace, ...binding]);
  const kubeconfig = await server.kubeconfig('mallory', account.token, streams.way);
  const kubectl = (args: readonly string[]) =>
    server.kubectl(['--namespace', namespace, ...args], { kubeconfig, mayFail: true });
  return {
    token: account.token,
    kubectl,
    async write(name, object) {
      const file = join(scene.stage.directory, `mallory-${name}.json`);
      const whole = {
        apiVersion: 'image.openshift.io/v1',
        kind: 'ImageStream',
        metadata: { name },
        ...object,
      };
      await writeFile(file, JSON.stringify(whole));
      return kubectl(['apply', '--filename', file]);
    },
  };
}

async function attack(scene: Scene, stand: StreamStand): Promise<void> {
  const { fact } = scene;
  const { client, secret, streams, upstream } = stand;
  const mallory = await attacker(scene, stand);
  const signature = generatedArtifact({
    subject: secret.root.descriptor,
    artifactType: 'application/vnd.example.signature',
  });
  await pushImage(upstream.url, repository, undefined, signature);
  const index = referrersIndex([signature]);
  await pushImage(upstream.url, repository, referrersTag(digestIn(secret)), index);
  // But for the empty config, which is public.
  const all = [...contentOf(secret), ...contentOf(signature)].filter((path) => !path.includes(emptyConfig));
  const digests = all.map((path) => path.slice(path.lastIndexOf('/') + 1));
  const token = await client.token(mallory.token);
  const answers = async () => {
    const nowhere = digestOf(Buffer.from('nowhere'));
    const paths = [...all, manifestPath(nowhere), blobPath(nowhere)];
    paths.push(`${repository}/referrers/${digestIn(secret)}`);
    return Promise.all(
      paths.map(async (path) => {
        const { status, code, message } = await client.get(path, token);
        assert.equal((await client.head(path, token)).status, status, path);
        return `${status} ${code} ${message.replace(/ \(request [\w-]+\)$/, '')}`;
      }),
    );
  };

  await fact('her image stream names it all, and the server writes the names unchecked', async () => {
    const tags = digests.map((digest, at) => ({
      ...{ name: `t${at}`, reference: true },
      from: { kind: 'DockerImage', name: `${promoted}@${digest}` },
    }));
    const { code, stderr } = await mallory.write('own', { spec: { tags } });
    assert.equal(code, 0, stderr);
    const written = await streamOf(stand, 'mallory', 'own');
    const items = written.status?.tags?.map(({ items: [item] }) => [item?.dockerImageReference, item?.image]);
    assert.deepEqual(
      items,
      digests.map((digest) => [`${promoted}@${digest}`, '']),
    );
  });
  await fact('she can write no status, and copy no tag of the private stream', async () => {
    const image = digestIn(secret);
    const status = { tags: [{ tag: 'x', items: [{ image, dockerImageReference: `${promoted}@${image}` }] }] };
    await mallory.write('other', { status });
    assert.deepEqual((await streamOf(stand, 'mallory', 'other')).status?.tags ?? [], []);
    const patch = ['patch', 'imagestream', 'other', '--subresource=status', '--type=merge', '-p'];
    assert.match((await mallory.kubectl([...patch, JSON.stringify({ status })])).stderr, /forbidden/i);
    await streams.put('ocp-priv/4.20', { cli: image }, promoted);
    for (const from of [
      { kind: 'ImageStreamTag', namespace: 'ocp-priv', name: '4.20:cli' },
      { kind: 'ImageStreamImage', namespace: 'ocp-priv', name: `4.20@${image}` },
    ]) {
      const { stderr } = await mallory.write('copied', { spec: { tags: [{ name: 'x', from }] } });
      assert.match(stderr, /may not pull ocp-priv\/4\.20/);
    }
  });
  let before: readonly string[] = [];
  await fact('she is refused all of it as if it were unknown', async () => {
    before = await answers();
    assert.deepEqual(new Set(before), new Set(before.slice(-1)));
    assert.match(before[0] ?? '', /^403 DENIED/);
  });
  await fact('and after its owner has pulled it', async () => {
    const admin = await client.token(people.admin.token);
    for (const path of all) assert.equal((await client.get(path, admin)).status, 200, path);
    await client.get(`${repository}/referrers/${digestIn(secret)}`, admin);
    assert.deepEqual(await answers(), before);
  });
  await fact('the registry was asked by HEAD about her own tags, and about nothing private', async () => {
    const asked = (await upstream.asked()).filter(({ path }) => path.includes('mallory'));
    assert.equal(new Set(asked.map(({ path }) => path)).size, digests.length);
    for (const { method, path, status } of asked)
      assert.match(`${method} ${path} ${status}`, /^HEAD \S+\/manifests\/mallory_own_t\d+ 404$/);
  });
}

async function streamOf(
  { cluster: server }: StreamStand,
  namespace: string,
  name: string,
): Promise<StreamObject> {
  const { stdout } = await server.kubectl(['get', 'imagestream', name, '-n', namespace, '-o', 'json']);
  return JSON.parse(stdout) as StreamObject;
}

async function proof({ fact }: Scene, stand: StreamStand): Promise<void> {
  const { cluster: server, client, streams, upstream } = stand;
  const image = await generatedImage({ seed: 'team', layers: [3_000], mediaTypes: 'oci' });
  await server.kubectl(['create', 'namespace', 'team']);
  const account = await server.account('teammate');
  await server.letPull('team', ['--serviceaccount=ci:teammate']);
  await pushImage(upstream.url, repository, 'team_app_v1', image);
  await streams.put('team/app', { v1: digestIn(image) }, promoted);
  await fact('a stream of any namespace counts where the registry has its tag, by one HEAD', async () => {
    const token = await client.token(account.token);
    const isThere = async () => (await client.get(manifestPath(digestIn(image)), token)).status === 200;
    await until('the stream is seen', isThere, soonMs);
    for (const path of contentOf(image)) assert.equal((await client.get(path, token)).status, 200, path);
    const heads = (await upstream.asked()).filter(({ path }) => path.endsWith('/manifests/team_app_v1'));
    assert.equal(heads.filter(({ method, status }) => method === 'HEAD' && status === 200).length, 1);
  });
}

async function changes({ fact }: Scene, stand: StreamStand): Promise<void> {
  const { cluster: server, client, streams, digests, open, proxy } = stand;
  const alice = await client.token(people.alice.token);
  const status = async (digest: Digest | undefined) =>
    (await client.get(manifestPath(digest ?? ''), alice)).status;
  await fact('a stream that changes costs one request at most, and its new digest is known', async () => {
    const image = await generatedImage({ seed: 'next', layers: [3_000], mediaTypes: 'oci' });
    await pushImage(stand.upstream.url, repository, 'kept-by-a-tag_next_1', image);
    const before = streams.passed.length;
    await streams.put('ocp/s01', tagged([...(digests.get('s01') ?? []), digestIn(image)]), promoted);
    await until('the new digest', async () => (await status(digestIn(image))) === 200, soonMs);
    assert.ok(otherRequests(streams, before).length <= 1, otherRequests(streams, before).join('\n'));
  });
  await fact('a stream that is deleted ends the rights to what it named', async () => {
    const [digest] = digests.get('s02') ?? [];
    assert.equal(await status(digest), 200);
    await server.kubectl(['delete', 'imagestream', 's02', '-n', 'ocp']);
    await until('the refusal', async () => (await status(digest)) === 403, soonMs);
  });
  await fact('a namespace that is taken off the list ends them at once, below the manifest too', async () => {
    const [layer] = open.blobs;
    assert.equal((await client.get(blobPath(layer?.descriptor.digest ?? ''), alice)).status, 200);
    const config = await readFile(proxy.configFile, 'utf8');
    await writeFile(proxy.configFile, config.replace(/"ocp",\s*"ocp-priv"/, '"ocp-priv"'));
    proxy.hangUp();
    await until('the refusal', async () => (await status(digestIn(open))) === 403, soonMs);
    await each(contentOf(open), async (path) =>
      assert.equal((await client.get(path, alice)).status, 403, path),
    );
    await writeFile(proxy.configFile, config);
    proxy.hangUp();
    await until('the right', async () => (await status(digestIn(open))) === 200, soonMs);
  });
  await fact('while the cluster is gone nothing is refused out of ignorance', async () => {
    await server.kill();
    const unknown = digestOf(Buffer.from('unknown while the cluster is gone'));
    const answers = [await client.get(manifestPath(unknown), alice)];
    await until('the index is stale', async () => /stale/.test(await readyText(proxy)), soonMs);
    answers.push(await client.get(manifestPath(unknown), alice));
    assert.ok(!answers.slice(1).some(({ status: is }) => is === 403), `${answers.map((one) => one.status)}`);
    const [, last] = answers;
    assert.equal(last?.status, 503);
    assert.ok(Number(last?.headers['retry-after']) > 0);
    assert.equal(await status(digestIn(open)), 200, 'what is known and remembered counts');
  });
}

async function readyText({ admin }: Quayside): Promise<string> {
  return (await fetch(`${admin}/readyz`)).text();
}
