/**
 * Clients on raw sockets: they read as fast as they can (or as slowly as told) into one reused buffer, and keep nothing but
 * counts. One process plays all of them, so that every contender meets the same client.
 */
import { createHash, type Hash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { acceptManifests } from '../../src/oci/manifest.ts';
import { answerQuestions } from '../servers/worker.ts';

export interface PullQuestion {
  readonly origin: string;
  readonly path: string;
  /** How many clients, all starting at once. */
  readonly clients: number;
  /** What each client reads a second, in bytes; 0 = as fast as it can. */
  readonly bytesPerSecond?: number;
  /** Every client leaves after so many milliseconds, wherever it is. */
  readonly leaveAfterMs?: number;
  /** Whether the first client computes the digest. */
  readonly isChecked?: boolean;
  /** Further header lines. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Pulled {
  /** 0 when no answer came. */
  readonly status: number;
  /** Bytes of the body. */
  readonly bytes: number;
  readonly isWhole: boolean;
  /** From the start to the first byte of the body. */
  readonly firstByteMs: number;
  /** From the start to the last byte of the body, or to the end of the connection. */
  readonly totalMs: number;
  /** The digest of the body, of the client that checks. */
  readonly digest?: string;
}

const fastBuffer = 256 * 1024;
const slowTickMs = 200;
const headEnd = '\r\n\r\n';

async function pullAll(question: PullQuestion): Promise<readonly Pulled[]> {
  const fast = Buffer.alloc(fastBuffer);
  const started = performance.now();
  const clients = Array.from({ length: question.clients }, (_, index) =>
    pull(question, started, {
      buffer: slowBytes(question) === 0 ? fast : Buffer.alloc(slowBytes(question)),
      ...(question.isChecked === true && index === 0 ? { hash: createHash('sha256') } : {}),
    }),
  );
  return Promise.all(clients);
}

interface Means {
  readonly buffer: Buffer;
  readonly hash?: Hash;
}

/** One GET on a connection of its own. Never rejects: what went wrong shows in `status` and `isWhole`. */
function pull(question: PullQuestion, started: number, means: Means): Promise<Pulled> {
  const { port, host } = new URL(question.origin);
  const head = headOf(question, host);
  const body = bodyCounter(started, means.hash);
  const isSlow = slowBytes(question) > 0;
  return new Promise((resolve) => {
    const socket = connect({
      port: Number(port),
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: means.buffer,
        callback: (length, buffer) => {
          if (body.take(buffer as Buffer, length)) socket.destroy();
          if (isSlow) setTimeout(() => socket.resume(), slowTickMs);
          return !isSlow;
        },
      },
    });
    socket.once('connect', () => socket.write(head));
    socket.on('error', () => socket.destroy());
    const leave = leaving(socket, question.leaveAfterMs);
    socket.once('close', () => {
      clearTimeout(leave);
      resolve(body.result());
    });
  });
}

function slowBytes({ bytesPerSecond = 0 }: PullQuestion): number {
  return Math.ceil((bytesPerSecond * slowTickMs) / 1000);
}

function leaving(socket: Socket, leaveAfterMs: number | undefined): NodeJS.Timeout | undefined {
  return leaveAfterMs === undefined ? undefined : setTimeout(() => socket.destroy(), leaveAfterMs);
}

function headOf({ path, headers = {} }: PullQuestion, host: string): string {
  const lines = Object.entries({ host, accept: `${acceptManifests}, */*`, connection: 'close', ...headers });
  return [`GET ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
}

interface BodyCounter {
  /** True once the body is whole. */
  take(buffer: Buffer, length: number): boolean;
  result(): Pulled;
}

function bodyCounter(started: number, hash: Hash | undefined): BodyCounter {
  let head = '';
  let state = { status: 0, length: -1, isInBody: false };
  let bytes = 0;
  let firstByteMs = 0;
  return {
    take(buffer, length) {
      let from = 0;
      if (!state.isInBody) {
        const before = head.length;
        head += buffer.toString('latin1', 0, length);
        const end = head.indexOf(headEnd);
        if (end < 0) return false;
        from = end + headEnd.length - before;
        state = { ...readHead(head.slice(0, end)), isInBody: true };
      }
      if (bytes === 0 && length > from) firstByteMs = performance.now() - started;
      hash?.update(buffer.subarray(from, length));
      bytes += length - from;
      return bytes === state.length;
    },
    result: () => ({
      status: state.status,
      bytes,
      isWhole: bytes === state.length,
      firstByteMs,
      totalMs: performance.now() - started,
      ...(hash === undefined ? {} : { digest: `sha256:${hash.digest('hex')}` }),
    }),
  };
}

function readHead(head: string): { readonly status: number; readonly length: number } {
  const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return { status: Number(head.slice(9, 12)), length: length === undefined ? -1 : Number(length) };
}

answerQuestions(pullAll);
