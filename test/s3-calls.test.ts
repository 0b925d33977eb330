import { type Test, test } from 'tap';
import type { Digest } from '../src/oci/digest.ts';
import { overS3 } from './bad-days/s3-rig.ts';
import { until } from './support/bodies.ts';
import type { S3Request } from './support/s3-double.ts';

/** The keys of content and of what is known about it; probes and the like are no part of a pull. */
const ofPulls = /^v1\/(?:blobs|tags|members|partial)\//;

/** A service over S3 and an image of eight layers, none of which is kept in memory. */
async function pulls(t: Test) {
  const first = await overS3(t);
  const { s3, rig } = first;
  const layers = Array.from({ length: 8 }, (_, index) => 150_000 + index);
  const image = rig.double.addImage('team/app', 'v1', { layers });
  const blobs: readonly Digest[] = [image.config, ...image.layers.map(({ digest }) => digest)];
  const got = async (url: string, path: string) => {
    const response = await fetch(`${url}/v2/team/app/${path}`);
    await response.arrayBuffer();
    t.equal(response.status, 200, path);
  };
  /** As a node does: the manifest, then six blobs at a time. */
  async function pull(url: string, reference: string): Promise<void> {
    await got(url, `manifests/${reference}`);
    const left = [...blobs];
    const lane = async () => {
      for (let digest = left.shift(); digest; digest = left.shift()) await got(url, `blobs/${digest}`);
    };
    await Promise.all(Array.from({ length: 6 }, lane));
  }
  const calls = (): readonly S3Request[] => s3.requests.filter(({ key }) => ofPulls.test(key));
  const told = () => calls().map(({ operation, key }) => `${operation} ${key}`);
  const keys = () => [...s3.objects.keys()].filter((key) => ofPulls.test(key));
  await until(() => s3.objects.has('v1/format'), 'the service to know its store');
  await pull(rig.url, 'v1');
  await until(() => keys().length === 12, 'ten pieces of content, a tag and the members');
  const cold = told();
  const another = async () => {
    const { rig: replica } = await overS3(t, first);
    s3.requests.length = 0;
    return replica.url;
  };
  return { s3, rig, image, blobs, pull, got, told, cold, another };
}

test('an image of nine blobs costs few calls to S3: cold, on another replica, warm', async (t) => {
  const { s3, image, blobs, pull, told, cold, another } = await pulls(t);
  t.equal(cold.length, 23, cold.join('\n'));
  t.equal(cold.filter((call) => call.startsWith('Head')).length, 0);
  const byTag = await another();
  await pull(byTag, 'v1');
  t.equal(told().length, 12, told().join('\n'));
  t.notOk(told().some((call) => call.startsWith('Put')));
  s3.requests.length = 0;
  await pull(byTag, 'v1');
  t.equal(told().length, blobs.length - 1, 'one for each blob that is not in memory');
  const byDigest = await another();
  await pull(byDigest, image.digest);
  t.equal(told().length, 11, told().join('\n'));
});

test('a replica that never saw the manifest answers a layer by two reads', async (t) => {
  const { image, got, told, another } = await pulls(t);
  const url = await another();
  await got(url, `blobs/${image.layers[3]?.digest}`);
  t.same(told(), [
    'GetObject v1/members/quay.io/team/app/_joint',
    `GetObject v1/blobs/sha256/${image.layers[3]?.digest.slice(7, 9)}/${image.layers[3]?.digest.slice(7)}`,
  ]);
});

test('a blob that S3 lost is looked for once, and comes from the upstream', async (t) => {
  const { s3, rig, image, got, told, another } = await pulls(t);
  const layer = image.layers[0]?.digest ?? image.config;
  const [key = ''] = [...s3.objects.keys()].filter((each) => each.includes(layer.slice(7)));
  s3.objects.delete(key);
  const url = await another();
  const asked = rig.double.seen(`blobs/${layer}`).length;
  await got(url, `blobs/${layer}`);
  t.equal(rig.double.seen(`blobs/${layer}`).length - asked, 1);
  await until(() => s3.objects.has(key), 'the blob in S3 again');
  t.same(
    told().filter((call) => call.endsWith(key)),
    [`GetObject ${key}`, `PutObject ${key}`],
  );
});

test('clients that pull one blob at the same time are two calls to S3', async (t) => {
  const { s3, image, told, another } = await pulls(t);
  const url = await another();
  s3.switches.stallsAfter = 10_000;
  for (let client = 0; client < 5; client += 1) {
    const { status, body } = await fetch(`${url}/v2/team/app/blobs/${image.layers[3]?.digest}`);
    t.equal(status, 200);
    t.teardown(() => body?.cancel());
  }
  t.equal(told().filter((call) => call.startsWith('GetObject v1/blobs/')).length, 2, told().join('\n'));
});
