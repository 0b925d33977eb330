import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { type KernelSend, limitedSend } from '../../../src/store/sending/kernel-send.ts';
import { KernelSending } from '../../../src/store/sending/kernel-sending.ts';
import type { ByteSink } from '../../../src/store/stored-file.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { until } from '../../support/bodies.ts';
import { sized } from '../../support/sized.ts';
import { patterned } from '../store-suite.ts';
import { connection, counted, isOpenSocket, kernel, opened, received, sinkOf, skip } from './kernel-rig.ts';

const bytes = patterned(100_003);
const everything = { start: 0, end: bytes.length - 1 };
const here = new AbortController().signal;

/** How much of a call the socket takes: so many bytes, or -1, which is EAGAIN. */
type Takes = (length: number) => number;

/**
 * A kernel and a sink without a socket: what either of them sends arrives in one place. `sending`
 * is called with each call of the kernel, before it returns.
 */
function scripted(takes: Takes, sending: () => void = () => {}) {
  const arrived: Buffer[] = [];
  const duplicates: number[] = [];
  const counts = { calls: 0, passed: 0, written: 0 };
  const double: KernelSend = {
    duplicate() {
      const copy = openSync('/dev/null', 'r');
      duplicates.push(copy);
      return copy;
    },
    send({ file, position, length, socket }, sent) {
      counts.calls += 1;
      const taken = Math.min(length, takes(length));
      if (taken > 0) {
        const piece = Buffer.alloc(taken);
        readSync(file, piece, 0, taken, position);
        arrived.push(piece);
      }
      setImmediate(() => {
        sending();
        if (!fstatSync(socket).isCharacterDevice()) throw new Error('the descriptor was closed meanwhile');
        sent(taken);
      });
    },
  };
  const passed = (sent: number): void => {
    counts.passed += sent;
  };
  const sink: ByteSink = {
    write(chunk, taken) {
      counts.written += chunk.byteLength;
      arrived.push(Buffer.from(chunk));
      setImmediate(taken);
    },
    socket: () => ({ fd: 0, passed }),
  };
  return { double, sink, counts, duplicates, all: () => Buffer.concat(arrived) };
}

/** Parts of what is asked for, and now and then a full socket, at most seven times in a row. */
function moody(random: Random): Takes {
  let refusals = 0;
  return (length) => {
    refusals = refusals < 7 && random.isLucky(0.4) ? refusals + 1 : 0;
    return refusals > 0 ? -1 : 1 + random.below(random.isLucky(0.5) ? 3 : length);
  };
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

test('whatever part of each call a socket takes, and when it takes nothing, all bytes arrive in order', async (t) => {
  const fd = opened(t, bytes);
  for (let seed = 1; seed <= sized(30, 2_000); seed += 1) {
    const random = seeded(seed);
    const start = random.below(bytes.length);
    const range = { start, end: start + random.below(bytes.length - start) };
    const { double, sink, counts, duplicates, all } = scripted(moody(random));
    const sending = new KernelSending({ kernel: double, fd, range, sink, signal: here });
    t.equal(await sending.run(), range.end + 1, `seed ${seed}`);
    t.ok(all().equals(bytes.subarray(range.start, range.end + 1)), `seed ${seed}`);
    t.equal(counts.passed + counts.written, range.end + 1 - range.start);
    t.notOk(duplicates.some(isOpen));
  }
});

test('one byte of each call is enough', async (t) => {
  const range = { start: 0, end: 33_000 };
  const { double, sink, all } = scripted(() => 1);
  await new KernelSending({ kernel: double, fd: opened(t, bytes), range, sink, signal: here }).run();
  t.ok(all().equals(bytes.subarray(0, 33_001)));
});

test('a full socket costs one call, and then the next is made when it took a piece', async (t) => {
  let isFull = false;
  const { double, sink, counts } = scripted(() => {
    isFull = !isFull;
    return isFull ? -1 : 1_000;
  });
  await new KernelSending({
    kernel: double,
    fd: opened(t, bytes),
    range: everything,
    sink,
    signal: here,
  }).run();
  const pieces = Math.ceil(counts.written / (16 * 1024));
  t.ok(counts.calls <= 2 * pieces + 1, `${counts.calls} calls for ${pieces} pieces`);
});

test('a client that leaves at each byte gets no further one, and its descriptor is closed', async (t) => {
  const fd = opened(t, bytes);
  const most = 40_000;
  const step = Math.ceil(most / sized(150, most));
  for (const full of [false, true]) {
    for (let at = 1; at < most; at += step) {
      const leaving = new AbortController();
      const gone = (): void => leaving.abort(new Error('the client is gone'));
      let seen = 0;
      const takes = (): number => {
        if (full && seen === 0) return -1;
        const taken = Math.min(700, at - seen);
        seen += taken;
        return taken;
      };
      const { double, sink, duplicates, all } = scripted(takes, () => {
        if (all().byteLength >= at) gone();
      });
      const { write } = sink;
      sink.write = (chunk, taken) =>
        write(chunk, (error) => {
          seen += chunk.byteLength;
          if (seen >= at) gone();
          taken(error);
        });
      const range = { start: 0, end: bytes.length - 1 };
      const sending = new KernelSending({ kernel: double, fd, range, sink, signal: leaving.signal });
      await t.rejects(sending.run(), { message: 'the client is gone' });
      const before = all();
      t.ok(before.equals(bytes.subarray(0, before.byteLength)), `at byte ${at}`);
      await new Promise((resolve) => setImmediate(resolve));
      t.equal(all().byteLength, before.byteLength);
      t.equal(duplicates.length, 1);
      t.notOk(duplicates.some(isOpen));
    }
  }
});

test('a client that leaves while a piece is read from the disk, or waits, ends the sending', async (t) => {
  const fd = opened(t, bytes);
  for (const when of ['read', 'wait'] as const) {
    const leaving = new AbortController();
    const { double, sink, duplicates, counts } = scripted(() => -1);
    const gone = (): void => leaving.abort(new Error('the client is gone'));
    sink.write = () => {
      counts.written += 1;
      gone();
    };
    const { send } = double;
    const leavingEarly: KernelSend = {
      ...double,
      send: (request, sent) =>
        send(request, (count) => {
          sent(count);
          if (when === 'read') gone();
        }),
    };
    const { signal } = leaving;
    const sending = new KernelSending({ kernel: leavingEarly, fd, range: everything, sink, signal });
    await t.rejects(sending.run(), { message: 'the client is gone' });
    t.equal(counts.written, when === 'read' ? 0 : 1);
    t.notOk(duplicates.some(isOpen));
  }
});

test('without a descriptor left a piece is sent, and the caller does the rest', async (t) => {
  const { sink, counts, double } = scripted(() => 0);
  const unable: KernelSend = {
    ...double,
    duplicate() {
      throw new Error('too many open files');
    },
  };
  const range = everything;
  const sending = new KernelSending({ kernel: unable, fd: opened(t, bytes), range, sink, signal: here });
  t.equal(await sending.run(), counts.written);
  t.equal(counts.calls, 0);
});

test('calls wait for a place, in turn; those of readers that have left wait no longer', (t) => {
  const running: (() => void)[] = [];
  const begun: number[] = [];
  const ended: string[] = [];
  const hanging: KernelSend = {
    duplicate: () => -1,
    send({ position }, sent) {
      begun.push(position);
      running.push(() => sent(1));
    },
  };
  const limited = limitedSend(hanging, 2);
  const leaving = new AbortController();
  for (let position = 0; position < 5; position += 1) {
    const { signal } = position === 2 ? leaving : new AbortController();
    limited.send({ socket: 0, file: 0, position, length: 1, signal }, (bytes) =>
      ended.push(`${position}: ${bytes}`),
    );
  }
  t.same(begun, [0, 1]);
  leaving.abort();
  setImmediate(() => {
    t.same(ended, ['2: -1']);
    for (let end = running.shift(); end !== undefined; end = running.shift()) end();
    t.same(begun, [0, 1, 3, 4]);
    t.same(ended.length, 5);
    t.end();
  });
});

test('many readers that read nothing cost no call and 16 KiB each, and all of them get all bytes', {
  skip,
  timeout: 300_000,
}, async (t) => {
  const many = sized(12, 1_000);
  const large = patterned(8 * 1024 * 1024);
  const path = `/proc/self/fd/${opened(t, large)}`;
  const before = process.memoryUsage().arrayBuffers;
  const { watched, calls } = counted();
  const readers = await Promise.all(
    Array.from({ length: many }, async () => {
      const { client, server } = await connection(t);
      client.pause();
      const fd = openSync(path, 'r');
      const { sink } = sinkOf(server);
      const range = { start: 0, end: large.length - 1 };
      const sending = new KernelSending({ kernel: watched, fd, range, sink, signal: here });
      const ended = sending.run().finally(() => closeSync(fd));
      return { client, server, ended };
    }),
  );
  await until(() => readers.every(({ server }) => server.writableLength > 0), 'pieces that wait');
  const { sends } = calls;
  const held = process.memoryUsage().arrayBuffers - before;
  t.ok(held < many * 32 * 1024 + 4 * 1024 * 1024, `${held} bytes for ${many} readers`);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  t.equal(calls.sends, sends, 'nothing spins');
  const digest = digestOf(large);
  for (const { client, server, ended } of readers) {
    const arriving = received(client);
    await ended;
    server.end();
    t.equal(digestOf(await arriving), digest);
    client.destroy();
  }
  t.notOk(calls.duplicates.some(isOpenSocket));
  t.equal(calls.duplicates.length, many);
});

test('of a file that is deleted, or replaced, meanwhile, the bytes that were opened arrive', {
  skip,
}, async (t) => {
  const { rename, rm, writeFile } = await import('node:fs/promises');
  const large = patterned(12 * 1024 * 1024);
  for (const how of ['deleted', 'replaced'] as const) {
    const directory = t.testdir({ blob: Buffer.from(large) });
    const path = `${directory}/blob`;
    const fd = openSync(path, 'r');
    const { client, server } = await connection(t);
    client.pause();
    const range = { start: 0, end: large.length - 1 };
    const { sink } = sinkOf(server);
    const sending = new KernelSending({ kernel, fd, range, sink, signal: here }).run();
    await until(() => server.writableLength > 0, 'a piece that waits for the reader');
    if (how === 'deleted') await rm(path);
    else {
      await writeFile(`${path}2`, Buffer.alloc(large.length, 'x'));
      await rename(`${path}2`, path);
    }
    const arriving = received(client);
    await sending;
    server.end();
    closeSync(fd);
    t.equal(digestOf(await arriving), digestOf(large), how);
  }
});
