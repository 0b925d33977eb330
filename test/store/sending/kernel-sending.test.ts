import { fstatSync, openSync } from 'node:fs';
import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import type { KernelSend } from '../../../src/store/sending/kernel-send.ts';
import { KernelSending } from '../../../src/store/sending/kernel-sending.ts';
import type { ByteSink } from '../../../src/store/stored-file.ts';
import { until } from '../../support/bodies.ts';
import { patterned } from '../store-suite.ts';
import { connection, counted, isOpenSocket, kernel, opened, received, sinkOf, skip } from './kernel-rig.ts';

const size = 12 * 1024 * 1024 + 17;
const bytes = patterned(size);
const everything = { start: 0, end: size - 1 };
const here = new AbortController().signal;

test('a range arrives whole and in order, nearly all of it past the process', { skip }, async (t) => {
  const fd = opened(t, bytes);
  for (const range of [everything, { start: 1, end: 5_000_000 }]) {
    const { client, server } = await connection(t);
    const { sink, counts } = sinkOf(server);
    const arriving = received(client);
    t.equal(await new KernelSending({ kernel, fd, range, sink, signal: here }).run(), range.end + 1);
    server.end();
    t.equal(digestOf(await arriving), digestOf(bytes.subarray(range.start, range.end + 1)));
    t.equal(counts.passed + counts.written, range.end + 1 - range.start);
    t.ok(counts.passed > counts.written);
  }
});

test('while a reader reads nothing no call is made, and then the rest arrives', { skip }, async (t) => {
  const fd = opened(t, bytes);
  const { client, server } = await connection(t);
  const { sink } = sinkOf(server);
  const { watched, calls } = counted();
  client.pause();
  const sending = new KernelSending({ kernel: watched, fd, range: everything, sink, signal: here }).run();
  await until(() => server.writableLength > 0, 'a piece that waits for the reader');
  const before = calls.sends;
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(calls.sends, before);
  const arriving = received(client);
  await sending;
  server.end();
  t.equal(digestOf(await arriving), digestOf(bytes));
  t.notOk(calls.duplicates.some(isOpenSocket));
});

test('a client that leaves after any byte leaves no descriptor behind', { skip }, async (t) => {
  const fd = opened(t, bytes);
  for (const after of [0, 1, 100_000, 1_000_000, 3_000_000]) {
    const { client, server } = await connection(t);
    const { watched, calls } = counted();
    const leaving = new AbortController();
    server.once('close', () => leaving.abort(new Error('the client is gone')));
    let seen = 0;
    if (after === 0) client.destroy();
    client.on('data', (chunk: Buffer) => {
      seen += chunk.byteLength;
      if (seen > after) client.destroy();
    });
    const { sink } = sinkOf(server);
    const sending = new KernelSending({
      kernel: watched,
      fd,
      range: everything,
      sink,
      signal: leaving.signal,
    });
    await t.rejects(sending.run());
    t.notOk(calls.duplicates.some(isOpenSocket), `after ${after} bytes`);
  }
});

test('the kernel has a descriptor of its own, open until its call has returned', async (t) => {
  const fd = opened(t, bytes);
  const { server } = await connection(t);
  const { sink } = sinkOf(server);
  const leaving = new AbortController();
  let copy = -1;
  let returned: ((sent: number) => void) | undefined;
  const slow: KernelSend = {
    duplicate: () => {
      copy = openSync('/dev/null', 'r');
      return copy;
    },
    send(request, sent) {
      t.equal(request.socket, copy);
      returned = sent;
    },
  };
  const sending = new KernelSending({ kernel: slow, fd, range: everything, sink, signal: leaving.signal });
  const done = t.rejects(sending.run(), { message: 'the client is gone' });
  server.destroy();
  leaving.abort(new Error('the client is gone'));
  await new Promise((resolve) => setImmediate(resolve));
  t.ok(fstatSync(copy).isCharacterDevice(), 'it is open while the call runs');
  returned?.(1);
  await done;
  t.throws(() => fstatSync(copy), { code: 'EBADF' });
});

test('what the kernel cannot send is left to the caller, from that byte on', async (t) => {
  const fd = opened(t, bytes);
  const { client, server } = await connection(t);
  const arriving = received(client);
  const { sink, counts } = sinkOf(server);
  const unable: KernelSend = {
    duplicate: () => openSync('/dev/null', 'r'),
    send: (_request, sent) => void setImmediate(sent, -1),
  };
  const reached = await new KernelSending({
    kernel: unable,
    fd,
    range: everything,
    sink,
    signal: here,
  }).run();
  server.end();
  t.ok(reached > 0 && reached < size);
  t.equal(counts.written, reached);
  t.equal(digestOf(await arriving), digestOf(bytes.subarray(0, reached)));
});

test('a sink without a socket gets one piece, and the caller does the rest', async (t) => {
  const fd = opened(t, bytes);
  const unused: KernelSend = {
    duplicate() {
      throw new Error('not called');
    },
    send: () => t.fail('not called'),
  };
  let written = 0;
  const sink: ByteSink = {
    write(chunk, taken) {
      written += chunk.byteLength;
      setImmediate(taken);
    },
    socket: () => undefined,
  };
  t.equal(
    await new KernelSending({ kernel: unused, fd, range: everything, sink, signal: here }).run(),
    written,
  );
});

test('a file that ends early is UPSTREAM_INVALID after its last byte', { skip }, async (t) => {
  const fd = opened(t, bytes);
  const { client, server } = await connection(t);
  const arriving = received(client);
  const { sink } = sinkOf(server);
  const range = { start: 0, end: size };
  await t.rejects(new KernelSending({ kernel, fd, range, sink, signal: here }).run(), {
    code: 'UPSTREAM_INVALID',
  });
  server.end();
  t.equal(digestOf(await arriving), digestOf(bytes));
});
