import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type KernelSend, loadKernelSend } from '../../../src/store/sending/kernel-send.ts';
import type { ByteSink } from '../../../src/store/stored-file.ts';

const none: KernelSend = { duplicate: () => -1, send: (_request, sent) => void setImmediate(sent, -1) };
const found = await loadKernelSend();

/** What this machine's kernel does, where it can. */
export const kernel = 'lacks' in found ? none : found;

/** Why tests of it are left out. */
export const skip = 'lacks' in found ? 'this machine has no sendfile of Linux, or no koffi' : false;

/** A descriptor of a file with these bytes, which closes with the test. */
export function opened(t: Test, bytes: Uint8Array): number {
  const fd = openSync(join(t.testdir({ blob: Buffer.from(bytes) }), 'blob'), 'r');
  t.teardown(() => closeSync(fd));
  return fd;
}

/** Both ends of a connection over loopback, of which the server's sends. */
export async function connection(t: Test): Promise<{ readonly client: Socket; readonly server: Socket }> {
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
export function sinkOf(socket: Socket) {
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
export async function received(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The kernel, with every call counted. */
export function counted() {
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

export function isOpenSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}
