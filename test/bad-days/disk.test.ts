import { open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import { registryDouble } from '../support/registry-double.ts';
import {
  again,
  type BadDay,
  badDay,
  digestOrCut,
  holdsOnly,
  isPulled,
  layerBytes,
  temporary,
} from './rig.ts';

test('a store that cannot be written costs no pull, and the log says so', async (t) => {
  const directory = await temporary(t, {});
  const rig = await badDay(t, { directory });
  await writeFile(join(directory, 'store'), 'a file where a directory should be');
  for (const attempt of ['first', 'second']) t.ok(await isPulled(rig), attempt);
  t.ok(rig.log.some(({ level, operation }) => level === 'warn' && operation === 'write'));
  t.match(await rig.metrics(), /^quayside_store_failures_total\{.*\} [1-9]/m);
});

test('a store whose blobs cannot be written costs no pull', async (t) => {
  const rig = await badDay(t);
  await digestOrCut(await rig.get('manifests/tools'));
  await holdsOnly(rig.directory, [blobKey(rig.image.digest)]);
  await rm(join(rig.directory, 'v1', 'blobs'), { recursive: true, force: true, maxRetries: 5 });
  await writeFile(join(rig.directory, 'v1', 'blobs'), 'a file where a directory should be');
  for (const attempt of ['first', 'second']) t.ok(await isPulled(rig), attempt);
});

for (const [what, spool] of [
  ['has no room', { maxBytes: 100_000 }],
  ['cannot be written', { path: '/dev/null/spool' }],
] as const) {
  test(`a spool that ${what} lets blobs pass through, whole and in parts`, async (t) => {
    const rig = await badDay(t, { settings: { spool } });
    t.ok(await isPulled(rig));
    const part = await rig.getLayer({ headers: { range: 'bytes=100000-199999' } });
    t.equal(part.status, 206);
    t.equal(part.headers.get('quayside-cache'), 'miss; upstream');
    t.ok(rig.layer.bytes.subarray(100_000, 200_000).equals(await part.bytes()));
    const parts = await rig.getLayer({ headers: { range: 'bytes=0-9,50-59' } });
    t.equal((await parts.text()).match(/Content-Range/g)?.length, 2);
  });
}

test('a blob that passes through with a wrong byte is cut off', async (t) => {
  const rig = await badDay(t, { settings: { spool: { maxBytes: 100_000 } } });
  await digestOrCut(await rig.get('manifests/tools'));
  rig.double.switches.servesWrongBytes = true;
  t.equal(await digestOrCut(await rig.getLayer()), 'cut');
});

test('a blob that lost its end on the disk is completed from the upstream, and mended', async (t) => {
  const rig = await badDay(t);
  await stored(rig);
  const file = join(rig.directory, blobKey(rig.layer.digest));
  await truncate(file, 123_456);
  const asked = rig.double.requests.length;
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.ok(rig.double.requests.length > asked);
  await stored(rig);
  t.equal((await stat(file)).size, layerBytes);
});

test('a bit that flips on the disk under the service is found by the scrub, and the next pull is right', async (t) => {
  const directory = await temporary(t);
  const path = join(directory, 'store');
  const rig = await badDay(t, {
    directory,
    settings: { store: { filesystem: { path }, scrubEveryMs: 100, scrubBytesPerSecond: '1GiB' } },
  });
  await stored(rig);
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  await flipped(join(path, blobKey(rig.layer.digest)));
  await until(async () => (await rig.metrics()).includes('quayside_scrub_wrong_total 1'), 'the scrub');
  t.ok(rig.log.some(({ level, digest }) => level === 'warn' && digest === rig.layer.digest));
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  t.match(await rig.metrics(), /^quayside_scrub_bytes_total [1-9]/m);
  await until(async () => /^quayside_scrub_last_completed_seconds [1-9]/m.test(await rig.metrics()));
});

test('where each read is verified, no client gets a blob whose bit flipped on the disk', async (t) => {
  const directory = await temporary(t);
  const path = join(directory, 'store');
  const rig = await badDay(t, {
    directory,
    settings: { store: { filesystem: { path, verifyReads: 'always' } } },
  });
  await stored(rig);
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
  await flipped(join(path, blobKey(rig.layer.digest)));
  t.equal(await digestOrCut(await rig.getLayer()), 'cut');
  t.equal(await digestOrCut(await rig.getLayer()), rig.layer.digest);
});

test('a manifest that the disk garbled is asked for again', async (t) => {
  const first = await badDay(t);
  await digestOrCut(await first.get('manifests/tools'));
  await first.stop();
  await writeFile(
    join(first.directory, blobKey(first.image.digest)),
    'x'.repeat(first.image.manifest.length),
  );
  const rig = await again(t, first);
  t.equal(await digestOrCut(await rig.get(`manifests/${rig.image.digest}`)), rig.image.digest);
  t.equal(await digestOrCut(await rig.get('manifests/tools')), rig.image.digest);
});

test('records that the disk garbled are as good as none', async (t) => {
  const first = await badDay(t);
  await stored(first);
  await first.stop();
  const tag = join(first.directory, 'v1/tags/quay.io/openshift/ci/_tags/tools');
  const members = join(first.directory, 'v1/members/quay.io/openshift/ci/_joint');
  await writeFile(tag, '{"digest":"sha2');
  await writeFile(members, Buffer.from([0xff, 0xfe, 0x00]));
  t.ok(await isPulled(await again(t, first)));
});

test('a store that is taken away under the service costs no pull, and does not hold up its end', async (t) => {
  const rig = await badDay(t);
  await stored(rig);
  await rm(rig.directory, { recursive: true, force: true, maxRetries: 5 });
  t.ok(await isPulled(rig));
  await rm(rig.directory, { recursive: true, force: true, maxRetries: 5 });
  await rig.stop();
});

test('it is ready without a store or without an upstream, not without both', async (t) => {
  const directory = await temporary(t);
  const double = await registryDouble();
  t.teardown(() => double.close());
  double.switches.down = true;
  const rig = await badDay(t, { directory, double });
  const readiness = async () => (await fetch(`${rig.url}/readyz`)).status;
  t.equal(await readiness(), 200);
  await rm(join(directory, 'store'), { recursive: true, force: true, maxRetries: 5 });
  await writeFile(join(directory, 'store'), 'a file where a directory should be');
  await until(async () => (await readiness()) === 503, 'a refusal');
  t.equal((await fetch(`${rig.url}/livez`)).status, 200);
  double.switches.down = false;
  await until(async () => (await readiness()) === 200, 'readiness');
});

/** Flips a bit in the middle of the file, whose size and name stay. */
async function flipped(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  const file = await open(path, 'r+');
  await file.write(bytes, middle, 1, middle);
  await file.close();
}

/** Resolves once the image's manifest and its layer are in the store. */
async function stored({ get, getLayer, image, layer, directory }: BadDay): Promise<void> {
  await digestOrCut(await get('manifests/tools'));
  await digestOrCut(await getLayer());
  await holdsOnly(directory, [blobKey(image.digest), blobKey(layer.digest)]);
}
