import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { type KernelSend, loadKernelSend } from '../../../src/store/filesystem/kernel-send.ts';
import { KernelSending } from '../../../src/store/filesystem/kernel-sending.ts';
import type { ByteSink } from '../../../src/store/stored-file.ts';
import { until } from '../../support/bodies.ts';
import { patterned } from '../store-suite.ts';

const size = 12 * 1024 * 1024 + 17;
const bytes = patterned(size);
const everything = { start: 0, end: size - 1 };
const here = new AbortController().signal;
const none: KernelSend = { duplicate: () => -1, send: (_request, sent) => void setImmediate(sent, -1) };
const kernel = (await loadKernelSend()) ?? none;
const skip = kernel === none ? 'this machine has no sendfile of Linux, or no koffi' : false;

function opened(t: Test): number {
  const fd = openSync(join(t.testdir({ blob: bytes }), 'blob'), 'r');
  t.teardown(() => closeSync(fd));
  return fd;
}

/** Both ends of a connection over loopback, of which the server's sends. */
async function connection(t: Test): Promise<{ readonly client: Socket; readonly server: Socket }> {
  const listening = createServer().listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const address = listening.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const accepted = once(listening, 'connection');
  const client = connect(address.port, '127.0.0.1').on('error', () => {});
  const [server] = (await accepted) as [Socket];
  server.on('error', () => {});
  listening.close();
  t.teardown(() => {
    client.destroy();
    server.destroy();
  });
  return { client, server };
}

/** A plain socket as a sink, and how many bytes reached it in either way. */
function sinkOf(socket: Socket) {
  const counts = { written: 0, passed: 0 };
  const passed = (sent: number): void => {
    counts.passed += sent;
  };
  const sink: ByteSink = {
    write(chunk, taken) {
      counts.written += chunk.byteLength;
      socket.write(chunk, taken);
    },
    socket: () => (socket.destroyed || socket.writableLength > 0 ? undefined : { fd: fdOf(socket), passed }),
  };
  return { sink, counts };
}

function fdOf(socket: Socket): number {
  return Reflect.get(Reflect.get(socket, '_handle'), 'fd');
}

/** Everything that comes until the other end closes. */
async function received(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The kernel, with every call counted. */
function counted() {
  const calls = { sends: 0, empty: 0, duplicates: [] as number[] };
  const watched: KernelSend = {
    duplicate(fd) {
      const copy = kernel.duplicate(fd);
      calls.duplicates.push(copy);
      return copy;
    },
    send(request, sent) {
      calls.sends += 1;
      kernel.send(request, (count) => {
        if (count < 0) calls.empty += 1;
        sent(count);
      });
    },
  };
  return { watched, calls };
}

function isOpen(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

test('a range arrives whole and in order, nearly all of it past the process', { skip }, async (t) => {
  const fd = opened(t);
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
  const fd = opened(t);
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
  t.notOk(calls.duplicates.some(isOpen));
});

test('a client that leaves after any byte leaves no descriptor behind', { skip }, async (t) => {
  const fd = opened(t);
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
    t.notOk(calls.duplicates.some(isOpen), `after ${after} bytes`);
  }
});

test('the kernel has a descriptor of its own, open until its call has returned', async (t) => {
  const fd = opened(t);
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
  const fd = opened(t);
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
  const fd = opened(t);
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
  const fd = opened(t);
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
