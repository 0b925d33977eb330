import { test } from 'tap';
import type { ImageDestination } from '../../../src/mirror/endpoints/endpoints.ts';
import type { Bytes } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { mediaTypes } from '../../../src/oci/manifest.ts';
import { parseReference, parseRepository } from '../../../src/oci/reference.ts';
import { until } from '../../support/bodies.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { signedSchema1 } from '../../support/schema1.ts';
import { app, refusalOf } from '../rig.ts';
import { lentSource, pushes, writerRig } from './writer-rig.ts';

const other = parseRepository('team/other');

test('a registry is a destination of images', async (t) => {
  const { writer } = await writerRig(t);
  const destination: ImageDestination = writer;
  t.equal(destination.name, 'registry.test');
});

test('a small blob takes a session, one request with its bytes, and a look', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(2_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.same(registry.blobOf('team/app', source.descriptor.digest), source.bytes);
  t.same(pushes(registry), ['POST uploads 202', 'PUT uploads 201', 'HEAD blobs 200']);
});

test('an empty blob is uploaded', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(0);
  await writer.putBlob(app, source.descriptor, source.open);
  t.equal(registry.blobOf('team/app', source.descriptor.digest)?.length, 0);
});

test('a large blob is streamed in one piece of known length, without a range', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(3_000_001);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
  t.same(pushes(registry), ['POST uploads 202', 'PATCH uploads 202', 'PUT uploads 201', 'HEAD blobs 200']);
  const patch = registry.requests[1]?.headers;
  t.equal(patch?.['content-length'], '3000001');
  t.equal(patch?.['content-type'], 'application/octet-stream');
  t.equal(patch?.['content-range'], undefined);
  t.same(source.opened, [0]);
});

test('large borrowed chunks arrive unchanged', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(20_000_000, 'lent', 1024 * 1024);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
});

test('a blob of unknown size is streamed without a length', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(300_000);
  await writer.putBlob(app, { ...source.descriptor, size: -1 }, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
  t.equal(registry.requests[1]?.headers['content-length'], undefined);
});

test('a registry that wants chunks gets chunks', async (t) => {
  const { registry, writer } = await writerRig(t, { chunkBytes: 1 });
  registry.switches.chunkMinLength = 100_000;
  const source = lentSource(250_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
  const ranges = registry.seen('PATCH').map(({ headers }) => headers['content-range']);
  t.same(ranges, ['0-99999', '100000-199999', '200000-249999']);
  t.same(source.opened, [0], 'and the source is read once');
});

test('a cut upload goes on at the byte that the registry has', async (t) => {
  const { registry, writer, events } = await writerRig(t);
  registry.switches.cutsUploadAfter = { bytes: 1_000_000, times: 2 };
  const source = lentSource(5_000_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
  t.same(source.opened, [0, 1_000_000, 2_000_000]);
  t.match(registry.seen('PATCH').at(-1)?.headers['content-range'], '2000000-4999999');
  t.equal(events.filter((event) => event === 'retried resume').length, 2);
});

test('a registry that takes no more bytes is asked again, a slow source is waited for', async (t) => {
  const clock = createManualClock();
  const { registry, writer } = await writerRig(t, { progressTimeoutMs: 300, clock });
  registry.switches.stallsUploadAfter = { bytes: 1_000_000, times: 1 };
  const source = lentSource(20_000_000);
  const put = writer.putBlob(app, source.descriptor, source.open);
  await until(() => (registry.seen('PATCH')[0]?.bytesReceived ?? 0) >= 1_000_000, 'the stall');
  await until(async () => {
    if (source.opened.length > 1) return true;
    await clock.pass(300);
    return false;
  }, 'the second try');
  await put;
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
  // The clock may have turned once more before the second try had begun to send.
  t.same([...new Set(source.opened)], [0, 1_000_000]);
  const slow = lentSource(200_000);
  const begun = Promise.withResolvers<void>();
  const putSlow = writer.putBlob(other, slow.descriptor, async (start) =>
    after(begun.promise, await slow.open(start)),
  );
  await until(() => slow.opened.length === 1, 'the source');
  await clock.pass(600);
  begun.resolve();
  await putSlow;
  t.equal(registry.seen('PATCH /v2/team/other').length, 1);
});

async function* after(begun: Promise<void>, bytes: Bytes): AsyncGenerator<Uint8Array> {
  await begun;
  yield* bytes;
}

test('an open breaker is waited for in the middle of an upload', async (t) => {
  const { registry, writer } = await writerRig(t, { breaker: { failures: 1, openMs: 20 } });
  registry.switches.cutsUploadAfter = { bytes: 100_000, times: 1 };
  const source = lentSource(300_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.same(source.opened, [0, 100_000]);
});

test('an upload goes on as long as bytes arrive', async (t) => {
  const { registry, writer } = await writerRig(t, { resumes: 1 });
  registry.switches.cutsUploadAfter = { bytes: 300_000, times: 9 };
  const source = lentSource(3_000_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
});

test('an upload without progress ends, and cancels its session', async (t) => {
  const { registry, writer } = await writerRig(t, { resumes: 2, breaker: { failures: 100 } });
  registry.switches.cutsUploadAfter = { bytes: 0, times: Number.POSITIVE_INFINITY };
  const source = lentSource(3_000_000);
  const refusal = await refusalOf(writer.putBlob(app, source.descriptor, source.open));
  t.match(refusal, {
    code: 'UNAVAILABLE',
    detail: { repository: 'team/app', digest: source.descriptor.digest },
  });
  t.equal(registry.seen('PATCH').length, 3);
  t.equal(registry.openUploads(), 0);
});

for (const size of [2_000, 200_000]) {
  test(`${size} bytes that a registry answers 5xx are sent four times, and that is said`, async (t) => {
    const { registry, writer } = await writerRig(t, { breaker: { failures: 100 } });
    registry.switches.failsUploads = { code: 502 };
    const source = lentSource(size);
    const refusal = await refusalOf(writer.putBlob(app, source.descriptor, source.open));
    t.match(refusal, { code: 'UNAVAILABLE', retry: 'later', message: /: it was sent 4 times$/ });
    const sent = registry.requests.reduce((sum, { bytesReceived }) => sum + bytesReceived, 0);
    t.equal(sent, 4 * size);
    t.equal(registry.openUploads(), 0);
  });
}

test('a throttled upload is tried more often, as 429 says nothing of the blob', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.failsUploads = { code: 429, times: 8 };
  const source = lentSource(2_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest));
});

test('bytes that a registry says it took and does not have are sent again, four times in all', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.lies201 = true;
  const source = lentSource(2_000);
  const refusal = await refusalOf(writer.putBlob(app, source.descriptor, source.open));
  t.match(refusal, {
    code: 'UNAVAILABLE',
    retry: 'later',
    message: /does not have it: it was sent 4 times$/,
  });
  t.equal(registry.seen('PUT').length, 4);
});

test('a session that was lost starts anew', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.forgetsSessions = 1;
  const source = lentSource(200_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
  t.equal(registry.seen('POST').length, 2);
});

test('a blob that arrived without an answer is not sent again', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(200_000);
  registry.switches.forgetsSessions = 1;
  registry.addBlob('team/app', source.bytes);
  await writer.putBlob(app, source.descriptor, source.open);
  t.equal(registry.seen('POST').length, 1);
});

test('a source that lies fails before the upload is complete', async (t) => {
  const { registry, writer } = await writerRig(t);
  for (const size of [2_000, 200_000]) {
    const source = lentSource(size);
    const wrong = { digest: digestOf(Buffer.from('other')), size };
    const refusal = await refusalOf(writer.putBlob(app, wrong, source.open));
    t.match(refusal, { code: 'UPSTREAM_INVALID', detail: { digest: wrong.digest } });
  }
  for (const size of [199_999, 200_001]) {
    const source = lentSource(200_000);
    const refusal = await refusalOf(writer.putBlob(app, { ...source.descriptor, size }, source.open));
    t.equal(refusal.code, 'UPSTREAM_INVALID');
  }
  t.equal(registry.seen('PUT').length, 0);
  t.equal(registry.openUploads(), 0);
});

test('what the source throws is thrown as it is, and the session cancelled', async (t) => {
  const { registry, writer } = await writerRig(t);
  const failure = new RegistryError('BLOB_UNKNOWN', 'the source lost it');
  const { descriptor, bytes } = lentSource(500_000);
  const refusal = await refusalOf(writer.putBlob(app, descriptor, async () => failing(bytes, failure)));
  t.equal(refusal, failure);
  t.equal(registry.openUploads(), 0);
  t.equal(registry.seen('PATCH').length, 1);
});

async function* failing(bytes: Buffer, failure: Error): Bytes & AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 200_000);
  throw failure;
}

test('an upload that is given up cancels its session', async (t) => {
  const { registry, writer } = await writerRig(t);
  const leaving = new AbortController();
  const { descriptor, bytes } = lentSource(500_000);
  const open = async () => leftIn(bytes, leaving);
  await t.rejects(writer.putBlob(app, descriptor, open, { signal: leaving.signal }), { message: 'gone' });
  t.equal(registry.seen('DELETE').length, 1);
  t.equal(registry.openUploads(), 0);
});

async function* leftIn(bytes: Buffer, leaving: AbortController): Bytes & AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 200_000);
  leaving.abort(new Error('gone'));
  yield bytes.subarray(200_000);
}

test('a 201 for what is not there is no success', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.lies201 = true;
  const source = lentSource(2_000);
  const refusal = await refusalOf(writer.putBlob(app, source.descriptor, source.open));
  t.match(refusal, { code: 'UNAVAILABLE', message: /does not have it/ });
  const { manifest, digest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  t.match(await refusalOf(writer.putManifest(app, parseReference('v1'), manifest)), { detail: { digest } });
});

test('an upload never leaves the registry', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(200_000);
  registry.switches.uploadsAt = 'absolute';
  await writer.putBlob(app, source.descriptor, source.open);
  registry.switches.uploadsAt = 'http://127.0.0.1:1';
  const refusal = await refusalOf(writer.putBlob(other, source.descriptor, source.open));
  t.match(refusal, { code: 'UPSTREAM_INVALID', message: /another host/ });
});

test('what stands in the query of a session is sent back as it came', async (t) => {
  const { registry, writer } = await writerRig(t);
  const source = lentSource(200_000);
  await writer.putBlob(app, source.descriptor, source.open);
  t.equal(
    registry.seen('PUT')[0]?.query,
    `_state=a%2Fb%20c%3D&digest=${encodeURIComponent(source.descriptor.digest)}`,
  );
});

test('a blob of another repository is mounted', async (t) => {
  const { registry, writer } = await writerRig(t);
  const digest = registry.addBlob('team/other', Buffer.from('shared'));
  t.equal(await writer.mountBlob(app, digest, other), true);
  t.ok(registry.blobOf('team/app', digest));
  t.same(pushes(registry), ['POST uploads 201', 'HEAD blobs 200']);
});

test('a mount that becomes a session is cancelled', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.refusesMounts = true;
  const digest = registry.addBlob('team/other', Buffer.from('shared'));
  t.equal(await writer.mountBlob(app, digest, other), false);
  t.same(pushes(registry), ['POST uploads 202', 'DELETE uploads 204']);
});

test('a refused or lying mount is none', async (t) => {
  const { registry, writer } = await writerRig(t);
  const digest = registry.addBlob('team/other', Buffer.from('shared'));
  registry.switches.lies201 = true;
  t.equal(await writer.mountBlob(app, digest, other), false);
  for (const code of [400, 403, 404, 405]) {
    registry.switches.status = { of: 'uploads', code };
    t.equal(await writer.mountBlob(app, digest, other), false);
  }
});

test('one token reads and writes a repository; that of a mount names both', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.requiresToken = { expiresIn: 300 };
  const source = lentSource(200_000);
  t.equal(await writer.statBlob(app, source.descriptor.digest), undefined);
  await writer.putBlob(app, source.descriptor, source.open);
  t.equal(await writer.mountBlob(other, source.descriptor.digest, app), true);
  const scopes = registry.seen('/token').map(({ query }) => new URLSearchParams(query).getAll('scope'));
  t.same(scopes, [
    ['repository:team/app:pull,push'],
    ['repository:team/other:pull,push', 'repository:team/app:pull'],
  ]);
});

test('a token that ends in the middle of an upload is replaced', async (t) => {
  const { registry, writer } = await writerRig(t);
  registry.switches.requiresToken = { expiresIn: 300 };
  const source = lentSource(200_000);
  let isFirst = true;
  const open = async (start: number) => {
    if (isFirst) registry.revokeTokens();
    isFirst = false;
    return source.open(start);
  };
  await writer.putBlob(app, source.descriptor, open);
  t.ok(registry.blobOf('team/app', source.descriptor.digest)?.equals(source.bytes));
});

test('a manifest arrives byte for byte under a tag, and is looked at', async (t) => {
  const { registry, writer } = await writerRig(t);
  const { manifest, digest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  await writer.putManifest(app, parseReference('v1'), manifest);
  t.equal(registry.tagOf('team/app', 'v1'), digest);
  t.same(pushes(registry), ['PUT manifests 201', 'HEAD manifests 200']);
  t.equal(registry.requests[0]?.headers['content-type'], mediaTypes.ociManifest);
  t.match(await writer.statManifest(app, parseReference('v1')), { digest });
  t.equal(await writer.statManifest(app, parseReference('v2')), undefined);
});

test('a signed schema 1 manifest keeps its digest', async (t) => {
  const { registry, writer } = await writerRig(t);
  const layer = registry.addBlob('team/app', Buffer.from('layer'));
  const payload = { schemaVersion: 1, name: 'team/app', tag: 'old', fsLayers: [{ blobSum: layer }] };
  const bytes = signedSchema1(JSON.stringify(payload, undefined, 3));
  const digest = registry.addManifest('team/other', bytes, mediaTypes.dockerSchema1Signed);
  const descriptor = { digest, size: bytes.length, mediaType: mediaTypes.dockerSchema1Signed };
  await writer.putManifest(app, parseReference('old'), { descriptor, bytes });
  t.equal(registry.tagOf('team/app', 'old'), digest);
  registry.switches.refusesSchema1 = true;
  const refusal = await refusalOf(writer.putManifest(app, parseReference('older'), { descriptor, bytes }));
  t.match(refusal, { code: 'MANIFEST_INVALID', detail: { digest, repository: 'team/app' } });
});

test('a 500 that stands for "no schema 1" is a refusal; every other 500 passes', async (t) => {
  const { registry, writer } = await writerRig(t, { random: () => 0 });
  const bytes = signedSchema1(JSON.stringify({ schemaVersion: 1, fsLayers: [] }, undefined, 3));
  const digest = registry.addManifest('team/other', bytes, mediaTypes.dockerSchema1Signed);
  const old = {
    descriptor: { digest, size: bytes.length, mediaType: mediaTypes.dockerSchema1Signed },
    bytes,
  };
  registry.switches.refusesSchema1 = 'with 500';
  const refusal = await refusalOf(writer.putManifest(app, parseReference('old'), old));
  t.match(refusal, { code: 'UNSUPPORTED', detail: { digest, upstreamStatus: 500, upstreamCode: 'UNKNOWN' } });
  t.same(pushes(registry), ['PUT manifests 500'], 'it is not asked again');
  registry.switches.refusesSchema1 = false;
  registry.switches.status = { of: 'manifests', code: 500, error: 'INTERNAL', times: 1 };
  await writer.putManifest(app, parseReference('old'), old);
  registry.switches.status = { of: 'manifests', code: 500, error: 'UNKNOWN', times: 1 };
  const { manifest } = imageOf(registry.addBlob('team/app', Buffer.from('{}')));
  await writer.putManifest(app, parseReference('v1'), manifest);
});

test('a manifest over a missing blob is refused by its own code', async (t) => {
  const { writer } = await writerRig(t);
  const { manifest, digest } = imageOf(digestOf(Buffer.from('{}')));
  const refusal = await refusalOf(writer.putManifest(app, parseReference('v1'), manifest));
  t.match(refusal, {
    code: 'MANIFEST_BLOB_UNKNOWN',
    detail: { digest, repository: 'team/app', upstreamStatus: 404, upstreamCode: 'MANIFEST_BLOB_UNKNOWN' },
  });
});

test('refusals have the code that tells them apart', async (t) => {
  const { registry, writer } = await writerRig(t, { retries: 0, breaker: { failures: 100 } });
  const { manifest } = imageOf(digestOf(Buffer.from('{}')));
  const cases = [
    [401, undefined, 'DENIED'],
    [403, undefined, 'DENIED'],
    [429, undefined, 'TOOMANYREQUESTS'],
    [502, undefined, 'UNAVAILABLE'],
    [405, undefined, 'UNSUPPORTED'],
    [405, 'DENIED', 'DENIED'],
    [415, undefined, 'UNSUPPORTED'],
    [413, undefined, 'SIZE_INVALID'],
    [404, 'NAME_UNKNOWN', 'NAME_UNKNOWN'],
    [400, 'BLOB_UNKNOWN', 'BLOB_UNKNOWN'],
    [400, 'MANIFEST_UNVERIFIED', 'MANIFEST_INVALID'],
    [400, undefined, 'MANIFEST_INVALID'],
    [307, undefined, 'UPSTREAM_INVALID'],
  ] as const;
  for (const [code, error, expected] of cases) {
    for (const refusesInHtml of error === undefined ? [true, false] : [false]) {
      Object.assign(registry.switches, { refusesInHtml, status: { of: 'manifests', code, error } });
      const refusal = await refusalOf(writer.putManifest(app, parseReference('v1'), manifest));
      t.equal(refusal.code, expected, `${code} ${error} ${refusesInHtml}`);
    }
  }
});

function imageOf(config: ReturnType<typeof digestOf>) {
  const mediaType = mediaTypes.ociManifest;
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config, size: 2 },
      layers: [],
    }),
  );
  const digest = digestOf(bytes);
  return { digest, manifest: { descriptor: { digest, size: bytes.length, mediaType }, bytes } };
}
