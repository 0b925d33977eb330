import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { createRegistryWriter } from '../../../src/upstream/push/writer.ts';
import { registryDouble } from '../../support/registry-double.ts';
import { app, refusalOf } from '../rig.ts';
import { lentSource, pushes, type WriterRig, writerRig } from './writer-rig.ts';

const other = parseRepository('team/other');

/** Pushes a blob of that size; whether the registry has it then. */
async function isPushed({ registry, writer }: WriterRig, size: number): Promise<boolean> {
  const source = lentSource(size, `of ${size}`);
  await writer.putBlob(app, source.descriptor, source.open);
  return registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes) === true;
}

const ranges: readonly (readonly [string, (bytes: number) => string | undefined])[] = [
  ['one off', (bytes) => `0-${bytes}`],
  ['0-0', () => '0-0'],
  ['the first chunk', () => '0-99999'],
  ['nothing', () => undefined],
];

for (const [what, rangeOfUpload] of ranges) {
  test(`a registry that took all bytes has them, though its Range says ${what}`, async (t) => {
    const rig = await writerRig(t, { chunkBytes: 1 });
    rig.registry.switches.rangeOfUpload = rangeOfUpload;
    t.ok(await isPushed(rig, 300_001));
    rig.registry.switches.chunkMinLength = 100_000;
    t.ok(await isPushed(rig, 250_000), 'in chunks too');
    t.equal(rig.registry.seen('PATCH').length, 4);
  });
}

test('a session that says 0-0 of what it holds is spoiled by a resume, and begun anew', async (t) => {
  const rig = await writerRig(t);
  Object.assign(rig.registry.switches, {
    rangeOfUpload: () => '0-0',
    cutsUploadAfter: { bytes: 100_000, times: 1 },
  });
  t.ok(await isPushed(rig, 300_000));
  t.equal(rig.registry.openUploads(), 0);
});

test('a session that says it holds more than was sent is left, and another begun', async (t) => {
  const rig = await writerRig(t);
  Object.assign(rig.registry.switches, {
    rangeOfUpload: () => '0-999999',
    cutsUploadAfter: { bytes: 100_000, times: 1 },
  });
  t.ok(await isPushed(rig, 300_000));
  t.equal(rig.registry.openUploads(), 0);
});

for (const code of [400, 401, 403, 404, 405, 500, 501, 502, 503]) {
  test(`a mount that is answered ${code} is refused, and not asked again`, async (t) => {
    const { registry, writer } = await writerRig(t);
    registry.switches.refusesMounts = code;
    const digest = registry.addBlob('team/other', Buffer.from('shared'));
    t.equal(await writer.mountBlob(app, digest, other), false);
    t.same(pushes(registry), [`POST uploads ${code}`]);
  });
}

test('a mount that is throttled is asked for again', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.throttles = 1;
  const digest = registry.addBlob('team/other', Buffer.from('shared'));
  t.equal(await writer.mountBlob(app, digest, other), true);
});

for (const refusesPatch of [405, 501] as const) {
  test(`a registry that answers PATCH with ${refusesPatch} gets the whole with the PUT, from then on`, async (t) => {
    const rig = await writerRig(t);
    rig.registry.switches.refusesPatch = refusesPatch;
    t.ok(await isPushed(rig, 300_000));
    t.ok(await isPushed(rig, 300_001));
    t.equal(rig.registry.seen('PATCH').length, 1);
    t.equal(rig.registry.openUploads(), 0);
    t.equal(rig.registry.seen('PUT').at(-1)?.headers['content-length'], '300001');
  });
}

test('a 404 to a PATCH may be a lost session: only that blob goes whole with its PUT', async (t) => {
  const rig = await writerRig(t);
  rig.registry.switches.refusesPatch = 404;
  t.ok(await isPushed(rig, 300_000));
  t.equal(rig.registry.seen('PUT').at(-1)?.headers['content-length'], '300000');
  delete rig.registry.switches.refusesPatch;
  t.ok(await isPushed(rig, 300_001));
  t.equal(rig.registry.seen('PUT').at(-1)?.headers['content-length'], '0');
  t.equal(rig.registry.openUploads(), 0);
});

test('a whole blob that broke off is sent anew', async (t) => {
  const rig = await writerRig(t);
  Object.assign(rig.registry.switches, { refusesPatch: 405, cutsUploadAfter: { bytes: 100_000, times: 1 } });
  t.ok(await isPushed(rig, 300_000));
  t.equal(rig.registry.openUploads(), 0);
});

test('what is too large for one request is sent in smaller ones, by all later uploads at once', async (t) => {
  const rig = await writerRig(t);
  rig.registry.switches.mostPushedBytes = 1_000_000;
  t.ok(await isPushed(rig, 3_000_000));
  t.same(pushes(rig.registry).slice(0, 4), [
    'POST uploads 202',
    'PATCH uploads 413',
    'GET uploads 204',
    'PATCH uploads 202',
  ]);
  t.ok(await isPushed(rig, 3_000_001));
  t.equal(pushes(rig.registry).filter((line) => line.endsWith('413')).length, 1);
});

test('a registry that takes nothing of any size says so', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.mostPushedBytes = 10;
  const { descriptor, open } = lentSource(3_000_000);
  const refusal = await refusalOf(writer.putBlob(app, descriptor, open));
  t.match(refusal, { code: 'SIZE_INVALID', message: /not accept a request of this size: 413/ });
  t.equal(registry.openUploads(), 0);
});

for (const code of [307, 308]) {
  test(`a ${code} to a push is followed with its body and our login`, async (t) => {
    const rig = await writerRig(t);
    rig.registry.switches.requiresToken = {};
    rig.registry.switches.redirectsPushes = { methods: ['POST', 'PATCH', 'PUT'], code };
    t.ok(await isPushed(rig, 2_000));
    t.ok(await isPushed(rig, 300_000));
    const { manifest, digest } = imageOf(rig.registry.addBlob('team/app', Buffer.from('{}')));
    await rig.writer.putManifest(app, parseReference('v1'), manifest);
    t.equal(rig.registry.tagOf('team/app', 'v1'), digest);
  });
}

test('a push that is redirected to another host leaves our login at home', async (t) => {
  const { registry, writer } = await writerRig(t);
  const storage = await registryDouble();
  t.teardown(() => storage.close());
  registry.switches.requiresToken = {};
  registry.switches.redirectsPushes = { methods: ['PUT'], code: 307, to: storage.url };
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  await refusalOf(writer.putManifest(app, parseReference('v1'), manifest));
  t.equal(storage.seen('PUT').length, 1);
  t.equal(storage.seen('PUT')[0]?.headers.authorization, undefined);
});

test('a push is not redirected by 301, 302 or 303, nor to another scheme', async (t) => {
  const { registry, writer } = await writerRig(t);
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  const put = () => refusalOf(writer.putManifest(app, parseReference('v1'), manifest));
  for (const code of [301, 302, 303]) {
    registry.switches.redirectsPushes = { methods: ['PUT'], code };
    t.match(await put(), { code: 'UPSTREAM_INVALID' });
  }
  registry.switches.redirectsPushes = { methods: ['PUT'], code: 307, to: 'https://127.0.0.1:1' };
  t.match(await put(), { code: 'UPSTREAM_INVALID', message: /another scheme/ });
});

test('an upload goes to another name of the registry, with our login, where that is listed', async (t) => {
  const registry = await registryDouble();
  const { port } = new URL(registry.url);
  Object.assign(registry.switches, { uploadsAt: `http://localhost:${port}`, requiresToken: {} });
  const named = (uploadHosts: readonly string[]) =>
    createRegistryWriter({ name: 'registry.test', url: registry.url, random: () => 0, uploadHosts });
  const [strict, listed] = [named([]), named([`localhost:${port}`])];
  t.teardown(() => Promise.all([strict.close(), listed.close(), registry.close()]));
  const { descriptor, open, bytes } = lentSource(300_000);
  const refusal = await refusalOf(strict.putBlob(app, descriptor, open));
  t.match(refusal, { code: 'UPSTREAM_INVALID', message: `another host, localhost:${port}: ` });
  t.match(refusal.message, /--upload-host/);
  await listed.putBlob(app, descriptor, open);
  t.ok(registry.blobOf('team/app', descriptor.digest)?.equals(bytes));
});

test('a 500 that stands for "no such urls" is a refusal', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.status = { of: 'manifests', code: 500, error: 'UNKNOWN' };
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')), ['https://example.com/x']);
  const refusal = await refusalOf(writer.putManifest(app, parseReference('v1'), manifest));
  t.match(refusal, { code: 'UNSUPPORTED', message: /layers with urls of their own/ });
  t.same(pushes(registry), ['PUT manifests 500'], 'it is not asked again');
});

test('a manifest that shows up some looks after its PUT is there', async (t) => {
  const { registry, writer } = await writerRig(t);
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  registry.switches.hidesManifests = 6;
  await writer.putManifest(app, parseReference('v1'), manifest);
  t.equal(pushes(registry).filter((line) => line === 'PUT manifests 201').length, 1);
});

test('a manifest that HEAD does not find is confirmed by GET', async (t) => {
  const { registry, writer } = await writerRig(t);
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  registry.switches.hidesManifests = 'HEAD';
  await writer.putManifest(app, parseReference('v1'), manifest);
  t.same(pushes(registry), ['PUT manifests 201', 'HEAD manifests 404', 'GET manifests 200']);
});

test('a manifest is confirmed where a HEAD states no digest', async (t) => {
  const { registry, writer } = await writerRig(t);
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  registry.switches.omitsDigestHeader = true;
  await writer.putManifest(app, parseReference('v1'), manifest);
  t.same(pushes(registry), ['PUT manifests 201', 'HEAD manifests 200', 'GET manifests 200']);
});

test('a manifest that was copied by its sha512 is confirmed by the sha256 of a tag', async (t) => {
  const { registry, writer } = await writerRig(t);
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  const digest = digestOf(manifest.bytes, 'sha512');
  const descriptor = { ...manifest.descriptor, digest };
  await writer.putManifest(app, parseReference('v1'), { ...manifest, descriptor });
  t.equal(registry.tagOf('team/app', 'v1'), manifest.descriptor.digest);
});

function imageOf(config: ReturnType<typeof digestOf>, urls?: readonly string[]) {
  const mediaType = mediaTypes.ociManifest;
  const blob = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 };
  const layers = urls === undefined ? [] : [{ ...blob, urls }];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config: blob, layers }));
  const digest = digestOf(bytes);
  return { digest, manifest: { descriptor: { digest, size: bytes.length, mediaType }, bytes } };
}
