import { test } from 'tap';
import { copyImages } from '../../../src/mirror/batch/copy-all.ts';
import { copyImage } from '../../../src/mirror/copy/copy.ts';
import { CopyError, doubtfulTries } from '../../../src/mirror/failure.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { app, copyRig } from '../../support/copy-rig.ts';
import { type MemoryBlob, plainImage, textBlob } from '../../support/memory-images.ts';

const own = textBlob('own', 5_000);
const plain = plainImage('amd64', [own]);

/** What a promise of a copy failed with. */
async function failureOf(copied: Promise<unknown>): Promise<CopyError> {
  const failure = await copied.catch((error: unknown) => error);
  if (failure instanceof CopyError) return failure;
  throw new Error('it did not fail', { cause: failure });
}

function sized(blob: MemoryBlob, size: number): MemoryBlob {
  return { ...blob, descriptor: { ...blob.descriptor, size } };
}

for (const size of [4_999, 5_001]) {
  test(`a descriptor of ${size} bytes over a blob of 5000 is told of the source, before a byte is sent`, async (t) => {
    const { destination, source, run, image } = copyRig(plainImage('amd64', [sized(own, size)]));
    const failure = await failureOf(copyImage(image(), run));
    t.match(failure, { kind: 'blob-unknown', retry: 'never', isDoubtful: false });
    t.match(failure.message, /^blob sha256:\w+ of source\.example\/team\/app: manifest sha256:\w+ states/);
    t.match(failure.message, `states ${size} bytes and the source has 5000: push the image`);
    t.equal(source.calls.filter(({ reference }) => reference === own.descriptor.digest).length, 1);
    t.notOk(destination.contents(app).blobs.has(own.descriptor.digest));
    t.equal(destination.contents(app).manifests.size, 0);
  });
}

test('bytes that do not fit their digest are the source’s, and believed only after some tries', async (t) => {
  const { destination, source, run, image } = copyRig(plain);
  source.contents(app).blobs.set(own.descriptor.digest, Buffer.alloc(5_000, 1));
  await copyImages([image()], run);
  t.match(run.report().failures, [
    { kind: 'blob-unknown', reason: /^blob sha256:\w+ of source\.example\/team\/app: the content does not/ },
  ]);
  t.equal(destination.calls.filter(({ verb }) => verb === 'put-manifest').length, 0);
  const opened = source.calls.filter(({ reference }) => reference === own.descriptor.digest);
  t.equal(opened.length, doubtfulTries);
});

test('what failed to be sent is not among the bytes that were copied', async (t) => {
  let refusals = 1;
  const failure = new RegistryError('UNAVAILABLE', 'the upstream answers with status 500');
  const { run, image } = copyRig(plain, {
    destination: { lies201: new Set([own.descriptor.digest]) },
    source: { fails: ({ verb }) => (verb === 'open-blob' && refusals-- > 0 ? failure : undefined) },
  });
  await copyImages([image()], run);
  const all = [...plain.blobs.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  t.match(run.report(), { blobs: { copied: 2, failed: 0 }, bytes: all });
});

test('a manifest that is invalid for a while is copied by one run', async (t) => {
  let refusals = 5;
  const invalid = new RegistryError('MANIFEST_INVALID', 'the registry does not take it: MANIFEST_INVALID');
  const { destination, run, image } = copyRig(plain, {
    destination: { fails: ({ verb }) => (verb === 'put-manifest' && refusals-- > 0 ? invalid : undefined) },
  });
  await copyImages([image()], run);
  t.match(run.report(), { images: { copied: 1, failed: 0 } });
  t.equal(destination.contents(app).manifests.size, 1);
});

test('a body that is too large is called that', async (t) => {
  const detail = { upstreamStatus: 413 };
  const large = new RegistryError('SIZE_INVALID', 'not accept a request of this size: 413', { detail });
  const { run, image } = copyRig(plain, {
    destination: { fails: ({ verb }) => (verb === 'put-blob' ? large : undefined) },
  });
  const failure = await failureOf(copyImage(image(), run));
  t.match(failure, {
    kind: 'too-large',
    retry: 'never',
    message: /destination\.example.*413.*raise its limit/,
  });
});

test('a failure by 429 holds what people look for, and until when', async (t) => {
  const throttled = new RegistryError('TOOMANYREQUESTS', 'the upstream throttles requests', {
    retryAfterSeconds: 300,
  });
  const { run, image } = copyRig(plain, {
    source: { fails: ({ verb }) => (verb === 'open-blob' ? throttled : undefined) },
  });
  const { message } = await failureOf(copyImage(image(), run));
  t.match(message, /toomanyrequests \(HTTP 429\): the registry throttles requests: throttled until \d{4}-/);
});
