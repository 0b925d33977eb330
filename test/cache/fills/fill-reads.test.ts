import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type ByteSource, failoverRead } from '../../../src/cache/fills/failover-read.ts';
import { Fill } from '../../../src/cache/fills/fill.ts';
import { createSpool, SpoolError, type SpoolFile } from '../../../src/cache/fills/spool.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { StoredFile } from '../../../src/store/stored-file.ts';
import { connection, kernel, received, sinkOf, skip } from '../../store/sending/kernel-rig.ts';
import { fedBody, randomContent, readAll, until } from '../../support/bodies.ts';

const mib = 1024 * 1024;
const size = 12 * mib;
const whole = { start: 0, end: size - 1 };
const here = new AbortController().signal;

/** A download that the test feeds, and its file as the kernel sends it to a client. */
async function rig(t: Test) {
  const directory = join(t.testdir(), 'spool');
  mkdirSync(directory);
  const { bytes, descriptor } = randomContent(size);
  const body = fedBody(size);
  let spooled = 0;
  const spool = createSpool({
    directory,
    maxBytes: 4 * size,
    files: createTempFiles(directory),
    buffers: createBufferPool(),
    kernel: Promise.resolve(kernel),
    changed: (held) => {
      spooled = held;
    },
  });
  const files: SpoolFile[] = [];
  const filling = new Fill({
    digest: descriptor.digest,
    size: undefined,
    origin: async () => body.blob,
    spool: {
      ...spool,
      async file(bytesOfIt, events) {
        const made = await spool.file(bytesOfIt, events);
        if (typeof made !== 'string') files.push(made);
        return made;
      },
    },
    store: createMemoryStore().blobs,
    storeFailed: () => {},
  });
  let pushed = 0;
  const push = async (end: number): Promise<void> => {
    for (; pushed < end; pushed += mib) body.push(bytes.subarray(pushed, Math.min(end, pushed + mib)));
    await until(() => filling.distanceTo(end - 1).bytes === 0, 'the bytes');
  };
  const file = async (range = whole): Promise<StoredFile> => {
    const opened = await filling.openFile(range);
    if (opened === undefined) throw new Error('the download has no file');
    return opened;
  };
  return { bytes, descriptor, body, filling, push, file, files, spooled: () => spooled };
}

async function client(t: Test) {
  const { client: far, server } = await connection(t);
  const { sink, counts } = sinkOf(server);
  return { far, server, sink, counts };
}

test('a reader that is behind is sent by the kernel what is written, and follows to the last byte', {
  skip,
}, async (t) => {
  const { bytes, body, push, file, filling, spooled } = await rig(t);
  await push(8 * mib);
  const { far, server, sink, counts } = await client(t);
  const arriving = received(far);
  const opened = await file();
  const sending = opened.sendTo(sink, whole, here);
  await until(() => counts.passed > 5 * mib, 'what the kernel sends');
  await push(size - 10);
  await until(() => counts.passed + counts.written === size - 10, 'what has come');
  body.push(bytes.subarray(size - 10));
  await until(() => counts.passed + counts.written === size - 1, 'all but the last byte');
  body.end();
  await sending;
  opened.close();
  server.end();
  t.equal(digestOf(await arriving), digestOf(bytes));
  t.equal(await filling.settled, 'stored');
  await until(() => spooled() === 0, 'the room');
});

test('a part of a download is sent so, too', { skip }, async (t) => {
  const { bytes, body, push, file } = await rig(t);
  await push(8 * mib);
  const range = { start: mib + 3, end: 6 * mib };
  const { far, server, sink, counts } = await client(t);
  const arriving = received(far);
  const opened = await file(range);
  await opened.sendTo(sink, range, here);
  opened.close();
  server.end();
  t.ok((await arriving).equals(bytes.subarray(range.start, range.end + 1)));
  t.ok(counts.passed > counts.written);
  body.fail(new Error('the end of the test'));
});

test('what has not come yet, and what is short, has no file', { skip }, async (t) => {
  const { body, push, filling } = await rig(t);
  await push(2 * mib);
  t.equal(await filling.openFile({ start: 4 * mib, end: size - 1 }), undefined);
  t.equal(await filling.openFile({ start: 0, end: 1_000 }), undefined);
  body.fail(new Error('the end of the test'));
});

test('no client completes a blob whose bytes are wrong', { skip }, async (t) => {
  const { body, push, file, bytes } = await rig(t);
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  await push(size);
  const { far, server, sink } = await client(t);
  const arriving = received(far);
  const opened = await file();
  const sending = t.rejects(opened.sendTo(sink, whole, here), { code: 'UPSTREAM_INVALID' });
  body.end();
  await sending;
  opened.close();
  server.destroy();
  t.ok((await arriving.catch(() => Buffer.alloc(0))).byteLength < size);
});

test('a client that leaves gives the room back', { skip }, async (t) => {
  const { push, file, body, filling, spooled } = await rig(t);
  await push(8 * mib);
  const { far, sink, counts } = await client(t);
  far.pause();
  const leaving = new AbortController();
  const opened = await file();
  const sending = t.rejects(opened.sendTo(sink, whole, leaving.signal), { message: 'gone' });
  await until(() => counts.passed > 0, 'the first bytes');
  leaving.abort(new Error('gone'));
  await sending;
  opened.close();
  body.fail(new Error('the end of the test'));
  await filling.settled;
  await until(() => spooled() === 0, 'the room');
});

for (const isRight of [true, false])
  test(`where the disk breaks another source goes on, and ${isRight ? 'the whole is verified' : 'two halves of different blobs are none'}`, {
    skip,
  }, async (t) => {
    const { bytes, descriptor, push, file, filling, body } = await rig(t);
    await push(8 * mib);
    const { far, server, sink } = await client(t);
    const arriving = received(far);
    const opened = await file();
    const sending = opened.sendTo(sink, whole, here).catch((error: unknown) => error);
    body.fail(new SpoolError('the spool cannot be written'));
    const error = await sending;
    opened.close();
    server.end();
    const first = await arriving;
    t.ok(first.equals(bytes.subarray(0, first.byteLength)));
    t.ok(error instanceof SpoolError && error.delivered !== undefined);
    const live: ByteSource = (rest) => filling.read(whole, here, rest.start);
    const other: ByteSource = async function* ({ start, end }) {
      yield isRight ? bytes.subarray(start, end + 1) : Buffer.alloc(end + 1 - start);
    };
    const after = { position: first.byteLength, error };
    const rest = await readAll(failoverRead(descriptor, whole, [live, other], after));
    if (isRight) t.equal(digestOf(Buffer.concat([first, rest.bytes])), descriptor.digest);
    else t.match(rest, { bytes: { byteLength: 0 }, error: { code: 'UPSTREAM_INVALID' } });
  });

test('a slow reader whose room is needed for others goes on elsewhere', { skip }, async (t) => {
  const { push, file, files, body, filling } = await rig(t);
  await push(8 * mib);
  const { far, sink, counts } = await client(t);
  far.pause();
  const opened = await file();
  const sending = opened.sendTo(sink, whole, here).catch((error: unknown) => error);
  await until(() => counts.written > 0, 'a piece that waits for the reader');
  files[0]?.giveWay('spool-full');
  const error = await sending;
  t.ok(error instanceof SpoolError && error.delivered !== undefined, `${error}`);
  opened.close();
  body.fail(new Error('the end of the test'));
  t.equal(await filling.settled, 'spool-full');
});
