import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { digestOf } from '../../src/oci/digest.ts';
import { until } from '../support/bodies.ts';
import { machinesRig, type RigWorker } from './machines.ts';

async function pulled({ url }: RigWorker, path: string): Promise<{ digest: string; cache: string | null }> {
  const answer = await fetch(`${url}/v2/quay.io/team/app/${path}`, { headers: { accept: '*/*' } });
  const digest = digestOf(new Uint8Array(await answer.arrayBuffer()));
  return { digest, cache: answer.headers.get('quayside-cache') };
}

const sizes = [300_001, 300_002, 300_003, 300_004, 300_005, 300_006];

test('what clients of two workers pull crosses the link once, and is stored once', async (t) => {
  const { double, all } = await machinesRig(t);
  const { layers, digest } = double.addImage('team/app', 'v1', { layers: sizes });
  for (const worker of all) t.equal((await pulled(worker, 'manifests/v1')).digest, digest);
  t.equal(double.seen('GET /v2/team/app/manifests/').length, 1);
  const answers = await Promise.all(
    layers.flatMap((layer) => all.map(async (worker) => pulled(worker, `blobs/${layer.digest}`))),
  );
  t.same(new Set(answers.map((answer) => answer.digest)), new Set(layers.map((layer) => layer.digest)));
  t.equal(double.seen('GET /v2/team/app/blobs/').length, sizes.length);
  t.ok(answers.some(({ cache }) => cache === 'miss; member'));
  for (const worker of all)
    for (const layer of layers)
      await until(async () => (await pulled(worker, `blobs/${layer.digest}`)).cache === 'hit; store');
});

test('two machines with two workers each, and a store each: the link is crossed once for all', async (t) => {
  const { double, machines, all } = await machinesRig(t, { machines: 2 });
  const { layers } = double.addImage('team/app', 'v1', { layers: sizes });
  const answers = await Promise.all(
    layers.flatMap((layer) => all.map(async (worker) => pulled(worker, `blobs/${layer.digest}`))),
  );
  t.same(new Set(answers.map((answer) => answer.digest)), new Set(layers.map((layer) => layer.digest)));
  t.equal(double.seen('GET /v2/team/app/blobs/').length, sizes.length);
  for (const [first] of machines) {
    const stored = async (): Promise<number> =>
      (await readdir(join(first?.store ?? '', 'v1'), { recursive: true })).filter((name) =>
        layers.some((layer) => name.endsWith(layer.digest.slice('sha256:'.length))),
      ).length;
    await until(async () => (await stored()) === sizes.length, 'each machine has its own copy');
  }
});

test('a tag that moved at one worker is asked for anew by the others of its machine and beyond', async (t) => {
  const { double, all } = await machinesRig(t, {
    machines: 2,
    settings: { tags: { freshMs: '1s', refreshBehindMs: '1d' } },
  });
  double.addImage('team/app', 'v1', { layers: [1_000] });
  for (const worker of all) await pulled(worker, 'manifests/v1');
  const { digest } = double.addImage('team/app', 'v1', { layers: [2_000] });
  await until(async () => {
    const answers = await Promise.all(all.map((worker) => pulled(worker, 'manifests/v1')));
    return answers.every((answer) => answer.digest === digest);
  }, 'all serve the new one');
  t.pass();
});

test('a change that only some have makes no pull wait or fail, and removes what it removes there', async (t) => {
  const { double, machines, all } = await machinesRig(t, { machines: 2 });
  const { layers, digest } = double.addImage('team/app', 'v1', { layers: sizes });
  const [[changed] = [], [unchanged] = []] = machines;
  if (changed === undefined || unchanged === undefined) throw new Error('there is no worker');
  const own = { url: double.url, allowPrivateAddresses: true };
  await changed.reload({ defaultUpstream: 'none', upstreams: { 'other.example': own } });
  const pullsOf = (worker: RigWorker, upstream: string) =>
    ['manifests/v1', ...layers.map((layer) => `blobs/${layer.digest}`)].map(async (path) => {
      const answer = await fetch(`${worker.url}/v2/${upstream}/team/app/${path}`, {
        headers: { accept: '*/*' },
        signal: AbortSignal.timeout(20_000),
      });
      return [answer.status, digestOf(new Uint8Array(await answer.arrayBuffer()))];
    });
  const whole = [digest, ...layers.map((layer) => layer.digest)].map((each) => [200, each]);
  t.same(await Promise.all(pullsOf(changed, 'other.example')), whole, 'one that no other one knows');
  t.same(await Promise.all(pullsOf(unchanged, 'quay.io')), whole, 'one that others know no more');
  const statuses = (await Promise.all(pullsOf(changed, 'quay.io'))).map(([status]) => status);
  t.same(new Set(statuses), new Set([404]));
  for (const worker of all)
    await worker.reload({ defaultUpstream: 'none', upstreams: { 'other.example': own } });
  const before = double.requests.length;
  for (const worker of all) t.same(await Promise.all(pullsOf(worker, 'other.example')), whole);
  t.ok(
    double.seen('GET /v2/team/app/blobs/').length <= 2 * sizes.length,
    'once for each name of the upstream',
  );
  t.ok(double.requests.length >= before);
});
