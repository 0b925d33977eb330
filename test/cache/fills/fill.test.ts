import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { Fill, type FillOptions } from '../../../src/cache/fills/fill.ts';
import { createSpool, type Spool, SpoolError } from '../../../src/cache/fills/spool.ts';
import { digestOf, isMatch } from '../../../src/oci/digest.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { fedBody, randomContent, readAll, until } from '../../support/bodies.ts';

const size = 3_000_000;

function rig(t: Test, overrides: Partial<FillOptions> = {}) {
  const directory = join(t.testdir(), 'spool');
  mkdirSync(directory);
  const content = randomContent(size);
  const body = fedBody(size);
  const store = createMemoryStore();
  const failures: unknown[] = [];
  let spooled = 0;
  const options: FillOptions = {
    digest: content.descriptor.digest,
    size: undefined,
    origin: async () => body.blob,
    spool: createSpool({
      directory,
      maxBytes: 10_000_000,
      files: createTempFiles(directory),
      buffers: createBufferPool(),
      changed: (bytes) => {
        spooled = bytes;
      },
    }),
    store: store.blobs,
    storeFailed: (error) => failures.push(error),
    ...overrides,
  };
  const whole = { start: 0, end: size - 1 };
  return { content, body, store, options, failures, directory, whole, spooled: () => spooled };
}

test('readers that come early, late and in the middle all get the bytes of one download', async (t) => {
  const { content, body, options, whole, store } = rig(t);
  const filling = new Fill(options);
  const early = readAll(filling.read(whole));
  body.push(content.bytes.subarray(0, 1_000_000));
  await until(() => filling.distanceTo(999_999).bytes === 0);
  const late = readAll(filling.read(whole));
  const middle = readAll(filling.read({ start: 500_000, end: 1_500_000 }));
  body.push(content.bytes.subarray(1_000_000));
  body.end();
  t.ok((await early).bytes.equals(content.bytes));
  t.ok((await late).bytes.equals(content.bytes));
  t.ok((await middle).bytes.equals(content.bytes.subarray(500_000, 1_500_001)));
  t.equal(await filling.settled, 'stored');
  t.ok(await store.blobs.stat(content.descriptor.digest));
  t.ok(body.closed);
});

test('the bytes reach a reader while the download runs', async (t) => {
  const { content, body, options, whole } = rig(t);
  const filling = new Fill(options);
  body.push(content.bytes.subarray(0, 100_000));
  const reader = filling.read(whole)[Symbol.asyncIterator]();
  const first = await reader.next();
  t.ok((first.value?.byteLength ?? 0) > 0);
  t.equal((await filling.opened).size, size);
  await reader.return?.();
  body.fail(new Error('end of the test'));
  await filling.settled;
});

test('wrong bytes are never stored, and no reader completes them', async (t) => {
  const { content, body, options, whole, store } = rig(t);
  const filling = new Fill(options);
  const reading = readAll(filling.read(whole));
  body.push(Buffer.from(content.bytes).fill(0, 0, 10));
  body.end();
  t.match(await reading, { error: { code: 'UPSTREAM_INVALID' } });
  t.ok((await reading).bytes.byteLength < size);
  t.equal(await filling.settled, 'failed');
  t.equal(await store.blobs.stat(content.descriptor.digest), undefined);
});

test('a reader whose download ends for want of disk is told what it has, so that the rest can be verified', async (t) => {
  const { content, body, options, whole } = rig(t);
  const filling = new Fill({ ...options, spool: fullAfter(options.spool, 2) });
  const reading = readAll(filling.read(whole));
  for (const at of [0, 700_000, 1_400_000]) body.push(content.bytes.subarray(at, at + 700_000));
  const { bytes, error } = await reading;
  t.equal(bytes.byteLength, 1_400_000);
  t.ok(error instanceof SpoolError && error.delivered !== undefined);
  if (error instanceof SpoolError && error.delivered !== undefined)
    t.ok(isMatch(error.delivered, digestOf(content.bytes.subarray(0, 1_400_000))));
  t.equal(await filling.settled, 'unwritable');
});

/** Its files take so many chunks. */
function fullAfter(room: Spool, chunks: number): Spool {
  return {
    ...room,
    async file(bytes, events) {
      const file = await room.file(bytes, events);
      if (typeof file === 'string') return file;
      const append = file.append.bind(file);
      let taken = 0;
      return Object.assign(file, {
        append(chunk: Uint8Array): Promise<void> {
          taken += 1;
          if (taken > chunks) throw new SpoolError('the spool cannot be written');
          return append(chunk);
        },
      });
    },
  };
}

test('too few and too many bytes are refused alike', async (t) => {
  for (const length of [size - 1, size + 1]) {
    const { content, body, options, whole } = rig(t);
    const filling = new Fill(options);
    const reading = readAll(filling.read(whole));
    body.push(Buffer.concat([content.bytes, Buffer.alloc(1)]).subarray(0, length));
    body.end();
    t.match(await reading, { error: { code: 'UPSTREAM_INVALID' } });
    t.equal(await filling.settled, 'failed');
  }
});

test('a reader that leaves changes nothing for the download and the others', async (t) => {
  const { content, body, options, whole, store } = rig(t);
  const filling = new Fill(options);
  const leaving = filling.read(whole)[Symbol.asyncIterator]();
  const staying = readAll(filling.read(whole));
  body.push(content.bytes.subarray(0, 50_000));
  await leaving.next();
  await leaving.return?.();
  body.push(content.bytes.subarray(50_000));
  body.end();
  t.ok((await staying).bytes.equals(content.bytes));
  t.equal(await filling.settled, 'stored');
  t.ok(await store.blobs.stat(content.descriptor.digest));
});

test('a download without any reader is stored all the same', async (t) => {
  const { content, body, options } = rig(t);
  const filling = new Fill(options);
  body.push(content.bytes);
  body.end();
  t.equal(await filling.settled, 'stored');
});

test('a body that breaks fails every reader at the byte where it broke', async (t) => {
  const { content, body, options, whole } = rig(t);
  const filling = new Fill(options);
  const reading = readAll(filling.read(whole));
  body.push(content.bytes.subarray(0, 1_234_567));
  await until(() => filling.distanceTo(1_234_566).bytes === 0);
  body.fail(new Error('gone'));
  t.equal((await reading).bytes.byteLength, 1_234_567);
  t.match(await reading, { error: { message: 'gone' } });
  t.equal(await filling.settled, 'failed');
});

test('no room in the spool is told before anything is downloaded', async (t) => {
  const { content, body, options } = rig(t);
  const directory = t.testdir();
  const small = createSpool({
    ...{ directory, files: createTempFiles(directory) },
    maxBytes: 10,
    buffers: createBufferPool(),
    changed() {},
  });
  const filling = new Fill({ ...options, spool: small });
  body.push(content.bytes);
  await t.rejects(filling.opened, { name: 'NoRoom' });
  t.equal(await filling.settled, 'too-large');
  t.ok(body.closed);
});

test('a blob that states much and sends little takes no room from others', async (t) => {
  const { options, spooled } = rig(t);
  const trickle = fedBody(5_000_000);
  const slow = new Fill({ ...options, origin: async () => trickle.blob });
  t.teardown(async () => {
    trickle.fail(new Error('over'));
    await slow.settled;
  });
  trickle.push(Buffer.alloc(10));
  await slow.opened;
  t.ok(spooled() <= 1024 * 1024, `${spooled()} bytes are taken`);
});

test('a download that must give way ends its readers there, and is no failure of the store', async (t) => {
  const { content, body, options, failures, whole, directory } = rig(t);
  const store = createMemoryStore();
  const small = createSpool({
    ...{ directory, files: createTempFiles(directory) },
    maxBytes: 2 * size,
    buffers: createBufferPool(),
    changed() {},
  });
  const origin = async (signal: AbortSignal) => {
    signal.addEventListener('abort', () => body.fail(new Error('aborted')));
    return body.blob;
  };
  const filling = new Fill({ ...options, origin, spool: small, store: store.blobs });
  const reading = readAll(filling.read(whole));
  body.push(content.bytes.subarray(0, 2_000_000));
  await until(() => filling.distanceTo(1_999_999).bytes === 0);
  for (const [stated, sent] of [
    [100_000, 1],
    [size, size - 1],
  ] as const) {
    const other = fedBody(stated);
    other.push(Buffer.alloc(sent));
    const { digest } = randomContent(10).descriptor;
    const running = new Fill({ ...options, digest, origin: async () => other.blob, spool: small });
    t.teardown(async () => {
      other.fail(new Error('over'));
      await running.settled;
    });
  }
  t.equal(await filling.settled, 'spool-full');
  t.match((await reading).error, { name: 'SpoolError' }, 'from here on they read elsewhere');
  t.same(failures, []);
});

test('a store that fails costs the readers nothing', async (t) => {
  const { content, body, options, whole, failures, store } = rig(t);
  const broken = { ...store.blobs, put: () => Promise.reject(new Error('disk full')) };
  const filling = new Fill({ ...options, store: broken });
  const reading = readAll(filling.read(whole));
  body.push(content.bytes);
  body.end();
  t.ok((await reading).bytes.equals(content.bytes));
  t.equal(await filling.settled, 'store');
  t.match(failures, [{ message: 'disk full' }]);
});

test('a blob of no stated size is answered once it is whole', async (t) => {
  const { content, options } = rig(t);
  const body = fedBody(undefined);
  const filling = new Fill({ ...options, origin: async () => body.blob });
  body.push(content.bytes);
  body.end();
  t.equal((await filling.opened).size, size);
  t.equal(await filling.settled, 'stored');
  const stated = fedBody(undefined);
  const known = new Fill({ ...options, size, origin: async () => stated.blob });
  stated.push(content.bytes);
  stated.end();
  t.equal((await known.opened).size, size, 'unless a manifest states it');
  t.equal(await known.settled, 'stored');
});

test('an empty blob fills', async (t) => {
  const { options } = rig(t);
  const content = randomContent(0);
  const body = fedBody(0);
  body.end();
  const filling = new Fill({
    ...options,
    digest: content.descriptor.digest,
    origin: async () => body.blob,
  });
  t.equal((await filling.opened).size, 0);
  t.equal((await readAll(filling.read({ start: 0, end: -1 }))).bytes.byteLength, 0);
  t.equal(await filling.settled, 'stored');
});

test('nothing of the spool is left once every holder has released it', async (t) => {
  const { content, body, options, directory, whole, spooled } = rig(t);
  const filling = new Fill(options);
  const reader = filling.read(whole)[Symbol.asyncIterator]();
  body.push(content.bytes);
  body.end();
  await reader.next();
  await filling.settled;
  t.equal(readdirSync(directory).length, 1, 'a reader holds on to it');
  t.equal(spooled(), size);
  await reader.return?.();
  t.same(readdirSync(directory), []);
  t.equal(spooled(), 0);
});

test('an upstream without the blob is BLOB_UNKNOWN', async (t) => {
  const { options } = rig(t);
  const filling = new Fill({ ...options, origin: async () => undefined });
  await t.rejects(filling.opened, { code: 'BLOB_UNKNOWN' });
  t.equal(await filling.settled, 'failed');
});
