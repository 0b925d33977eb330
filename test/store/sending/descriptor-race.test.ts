import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'tap';
import type { KernelSend } from '../../../src/store/sending/kernel-send.ts';
import { KernelSending } from '../../../src/store/sending/kernel-sending.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { listening } from '../../support/listening.ts';
import { kernel, skip } from './kernel-rig.ts';

/** Of each file: more than a socket takes at once. */
const size = 5 * 1024 * 1024;
const files = 6;
/** How many clients a seed has, and how many of them at a time: numbers are reused at once. */
const clients = 30;
const atOnce = 10;
/** `QUAYSIDE_RACE_SEEDS=<number>` tries more. */
const seeds = Number(process.env['QUAYSIDE_RACE_SEEDS'] ?? 2);

/** Threads that are busy: a call begins up to 5 ms after it was made. */
function delayed(random: Random): KernelSend {
  return {
    ...kernel,
    send(request, sent) {
      if (random.isLucky(0.5)) kernel.send(request, sent);
      else setTimeout(kernel.send, random.below(5), request, sent);
    },
  };
}

/** Sends the file that the first byte of the client names, and ends some connections within it. */
function serve(socket: Socket, paths: readonly string[], random: Random, strays: Strays): void {
  socket.on('error', () => {});
  socket.once('data', (name: Buffer) => {
    const [file = 0] = name;
    strays.count += name.byteLength - 1;
    socket.on('data', (stray: Buffer) => {
      strays.count += stray.byteLength;
    });
    const fd = openSync(paths[file] ?? '', 'r');
    const leaving = new AbortController();
    socket.once('close', () => leaving.abort(new Error('closed')));
    const passed = (): void => {};
    const sink = {
      write: (chunk: Uint8Array, taken: (error?: Error | null) => void) => void socket.write(chunk, taken),
      socket: () =>
        socket.destroyed || socket.writableLength > 0 ? undefined : { fd: fdOf(socket), passed },
    };
    const range = { start: 0, end: size - 1 };
    const sending = new KernelSending({ kernel: delayed(random), fd, range, sink, signal: leaving.signal });
    const ended = (): void => {
      closeSync(fd);
      socket.destroy();
    };
    sending.run().then(ended, ended);
    if (random.isLucky(0.5)) setTimeout(() => socket.destroy(), random.below(6));
  });
}

/** Bytes that a client never sent: the number was that of its own end. */
interface Strays {
  count: number;
}

function fdOf(socket: Socket): number {
  return Reflect.get(Reflect.get(socket, '_handle'), 'fd');
}

/** Asks for a file, leaves at some byte, and resolves to how many bytes of other files came. */
async function client(port: number, random: Random): Promise<number> {
  const file = random.below(files);
  const leavesAfter = random.isLucky(0.5) ? random.below(size) : size;
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(Buffer.of(file));
  const expected = Buffer.alloc(1024 * 1024, file + 1);
  let seen = 0;
  let wrong = 0;
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.byteLength;
    if (!chunk.equals(expected.subarray(0, chunk.byteLength))) wrong += chunk.byteLength;
    if (seen >= leavesAfter) socket.destroy();
  });
  await once(socket, 'close');
  return wrong;
}

test('no client gets a byte of another one, when clients leave at any byte', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const contents = Array.from({ length: files }, (_, file) => [`${file}`, Buffer.alloc(size, file + 1)]);
  const directory = t.testdir(Object.fromEntries(contents));
  const paths = contents.map(([name]) => join(directory, String(name)));
  for (let seed = 1; seed <= seeds; seed += 1) {
    const random = seeded(seed);
    const strays = { count: 0 };
    const server = createServer((socket) => serve(socket, paths, random, strays));
    const { port, close } = await listening(server);
    const left = Array.from({ length: clients }, (_, index) => index).values();
    let wrong = 0;
    const place = async (): Promise<void> => {
      for (const _ of left) wrong += await client(port, random);
    };
    await Promise.all(Array.from({ length: atOnce }, place));
    await close();
    t.equal(wrong, 0, `seed ${seed}`);
    t.equal(strays.count, 0, `seed ${seed}`);
  }
});
