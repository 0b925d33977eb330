import { test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import { type S3Switches, s3Double } from '../support/s3-double.ts';
import { digestOrCut, isPulled, layerBytes } from './rig.ts';
import { overS3, stored } from './s3-rig.ts';

/** S3 answers late or not at all. */
const outages: readonly (readonly [what: string, Partial<S3Switches>])[] = [
  ['is down', { down: true }],
  ['is slow', { slowMs: 25 }],
  ['is busy for a while', { slowDown: 3 }],
];

/** S3 no longer has what it was given. */
const losses: readonly (readonly [what: string, Partial<S3Switches>])[] = [
  ['breaks off each object', { dropsAfter: 1_000 }],
  ['truncates each object', { truncatesObjects: 1_000 }],
  ['has lost each object', { losesObjects: true }],
];

/** Troubles of a multipart upload. */
const writeTroubles: readonly (readonly [what: string, Partial<S3Switches>])[] = [
  ['fails each upload at its end', { errorOnComplete: true }],
  ['fails each upload in the middle', { errorOnPart: 1 }],
];

/** They wait for tries and pauses, so they run side by side. */
test('no trouble with S3 costs a pull', { jobs: 6 }, (t) => {
  for (const [what, trouble] of outages) {
    void t.test(`cold and warm, when it ${what}`, { buffered: true }, async (t) => {
      const { s3, rig } = await overS3(t);
      Object.assign(s3.switches, trouble);
      t.ok(await isPulled(rig), 'cold');
      t.ok(await isPulled(rig), 'warm');
      t.equal((await fetch(`${rig.url}/readyz`)).status, 200);
    });
  }
  for (const [what, trouble] of [...outages.slice(0, 1), ...losses]) {
    void t.test(`after a restart, when it ${what}`, { buffered: true }, async (t) => {
      const first = await overS3(t);
      await stored(first);
      await first.rig.stop();
      Object.assign(first.s3.switches, trouble);
      const { rig } = await overS3(t, first);
      t.ok(await isPulled(rig), 'from what is left');
      t.ok(await isPulled(rig), 'once more');
    });
  }
  for (const [what, trouble] of writeTroubles) {
    void t.test(`of a layer in parts, when it ${what}`, { buffered: true }, async (t) => {
      const { s3, rig } = await overS3(t);
      const [layer] = rig.double.addImage('openshift/ci', 'large', { layers: [9 * 1024 * 1024] }).layers;
      Object.assign(s3.switches, trouble);
      t.equal(await digestOrCut(await rig.get(`blobs/${layer?.digest}`)), layer?.digest);
      await until(() => rig.log.some(({ operation }) => operation === 'write'), 'the warning');
      t.equal(s3.uploads.size, 0);
      t.equal(await digestOrCut(await rig.get(`blobs/${layer?.digest}`)), layer?.digest);
    });
  }
  t.end();
});

test('an S3 that breaks off in the middle of a hit is replaced by the upstream at that byte', async (t) => {
  const { s3, rig } = await overS3(t);
  await stored({ s3, rig });
  rig.double.requests.length = 0;
  s3.switches.dropsAfter = 150_000;
  const range = { headers: { range: 'bytes=100000-349999' } };
  const part = Buffer.from(await (await rig.getLayer(range)).bytes());
  t.ok(part.equals(rig.layer.bytes.subarray(100_000, 350_000)));
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.ok(rig.double.requests.length >= 1);
});

test('an object that is too short is put again', async (t) => {
  const { s3, rig } = await overS3(t);
  await stored({ s3, rig });
  const key = [...s3.objects.keys()].find((each) => each.endsWith(blobKey(rig.layer.digest))) ?? '';
  const object = s3.objects.get(key);
  if (object === undefined) throw new Error('the layer is not there');
  s3.objects.set(key, { ...object, bytes: object.bytes.subarray(0, 99_999) });
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  await until(() => s3.objects.get(key)?.bytes.byteLength === layerBytes, 'the repair');
  t.ok(await isPulled(rig));
});

test('no client gets an object that turned bad after it was read, and it is put again', async (t) => {
  const { s3, rig } = await overS3(t);
  await stored({ s3, rig });
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  const key = [...s3.objects.keys()].find((each) => each.endsWith(blobKey(rig.layer.digest))) ?? '';
  const object = s3.objects.get(key);
  if (object === undefined) throw new Error('the layer is not there');
  s3.objects.set(key, { ...object, bytes: Buffer.from(object.bytes).fill('x', 200_000, 200_001) });
  t.equal(await digestOrCut(await rig.getLayer()), 'cut');
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  await until(() => s3.objects.get(key)?.bytes.equals(rig.layer.bytes) === true, 'the repair');
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
});

test('wrong bytes are never put into S3, and no upload is left open', async (t) => {
  const { s3, rig } = await overS3(t);
  rig.double.switches.servesWrongBytes = true;
  t.equal(await digestOrCut(await rig.getLayer()), 'cut');
  await rig.stop();
  t.notOk([...s3.objects.keys()].some((key) => key.includes('blobs')));
  t.equal(s3.uploads.size, 0);
});

test('a service starts without its S3, serves, and uses it once it is there', async (t) => {
  const s3 = await s3Double();
  t.teardown(() => s3.close());
  s3.switches.down = true;
  const { rig } = await overS3(t, { s3 });
  t.ok(await isPulled(rig));
  s3.switches.down = false;
  await until(
    () => rig.log.some(({ msg }) => /^S3 circuit breaker closed/.test(msg)),
    'a probe that succeeds',
  );
  rig.double.addBlob('openshift/ci', Buffer.alloc(150_000, 'later'));
  const { digest } = rig.double.addImage('openshift/ci', 'later', { layers: [1_000] });
  t.equal(await digestOrCut(await rig.get('manifests/later')), digest);
  await until(() => [...s3.objects.keys()].some((key) => key.endsWith(blobKey(digest))), 'the object');
});

test('a layer is asked for once where S3 says late that it was absent before', async (t) => {
  const { s3, rig } = await overS3(t);
  await rig.get('manifests/tools');
  const { promise, resolve } = Promise.withResolvers<void>();
  s3.switches.saysAbsentAfter = promise;
  const late = rig.getLayer();
  const key = blobKey(rig.layer.digest);
  await until(() => s3.requests.some((each) => each.key.endsWith(key)), 'the question to S3');
  s3.switches.saysAbsentAfter = undefined;
  await isPulled(rig);
  await stored({ s3, rig });
  resolve();
  t.equal((await (await late).bytes()).byteLength, rig.layer.bytes.byteLength);
  t.equal(rig.double.seen(rig.layer.digest).length, 1);
});
