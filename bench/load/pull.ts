import type { Hash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { acceptManifests } from '../../src/oci/manifest.ts';

/** One GET, and how it is read. */
export interface Pull {
  readonly origin: string;
  readonly path: string;
  /** Further header lines. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How much the client reads a second, in bytes. Default 0: as fast as it can. */
  readonly bytesPerSecond?: number;
  /** The client leaves after so many milliseconds, wherever it is. Default: it stays to the end. */
  readonly leaveAfterMs?: number;
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
  /** The digest of the body, of a client that checks. */
  readonly digest?: string;
}

interface PullMeans {
  /** Every read goes here and is forgotten; several clients may share it. */
  readonly buffer: Buffer;
  /** Sees the body. */
  readonly hash?: Hash;
  /** Told of each piece of the body that came. */
  readonly received?: (bytes: number) => void;
}

const slowTickMs = 200;
const headEnd = '\r\n\r\n';

/**
 * The size of the buffer that suits a pull: large for a fast one, one tick's worth for a slow one.
 */
export function bufferBytes({ bytesPerSecond = 0 }: Pick<Pull, 'bytesPerSecond'>): number {
  return bytesPerSecond === 0 ? 256 * 1024 : Math.ceil((bytesPerSecond * slowTickMs) / 1000);
}

/**
 * Makes the request on a raw socket of its own: a client that costs so little that the server is
 * what is measured. Never rejects: what went wrong shows in `status` and `isWhole`.
 */
export function pull(request: Pull, means: PullMeans): Promise<Pulled> {
  const { host } = new URL(request.origin);
  const body = bodyCounter(means);
  return new Promise((resolve) => {
    const socket = opened(request, means, (length) => {
      if (body.take(length)) socket.destroy();
    });
    socket.write(headOf(request, host));
    socket.on('error', () => socket.destroy());
    const leave = setTimeout(() => socket.destroy(), request.leaveAfterMs ?? 2 ** 31 - 1);
    socket.once('close', () => {
      clearTimeout(leave);
      resolve(body.result());
    });
  });
}

/** A connection whose bytes go into the buffer; `taken` is told how many. TLS is never slow. */
function opened(
  { origin, bytesPerSecond = 0 }: Pull,
  means: PullMeans,
  taken: (length: number) => void,
): Socket {
  const { buffer } = means;
  const { port, protocol } = new URL(origin);
  const to = { port: Number(port), host: '127.0.0.1' };
  if (protocol === 'https:') {
    // The certificate is of an authority that the bench made: who is at the other end is known.
    const socket = connectTls({ ...to, rejectUnauthorized: false });
    socket.setNoDelay(true);
    return socket.on('data', (chunk: Buffer) => taken(chunk.copy(buffer)));
  }
  const isSlow = bytesPerSecond > 0;
  const socket = connect({
    ...to,
    noDelay: true,
    onread: {
      buffer,
      callback: (length) => {
        taken(length);
        if (isSlow) setTimeout(() => socket.resume(), slowTickMs);
        return !isSlow;
      },
    },
  });
  return socket;
}

function headOf({ path, headers = {} }: Pull, host: string): string {
  const lines = Object.entries({ host, accept: `${acceptManifests}, */*`, connection: 'close', ...headers });
  return [`GET ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
}

interface BodyCounter {
  /** Takes what was read into the buffer; true once the body is whole. */
  take(length: number): boolean;
  result(): Pulled;
}

function bodyCounter({ buffer, hash, received }: PullMeans): BodyCounter {
  const started = performance.now();
  let head = '';
  let state = { status: 0, length: -1, isInBody: false };
  let bytes = 0;
  let firstByteMs = 0;
  /** Where the body begins in this read, or undefined when the head is not over. */
  const bodyStart = (length: number): number | undefined => {
    if (state.isInBody) return 0;
    const before = head.length;
    head += buffer.toString('latin1', 0, length);
    const end = head.indexOf(headEnd);
    if (end < 0) return undefined;
    state = { ...readHead(head.slice(0, end)), isInBody: true };
    return end + headEnd.length - before;
  };
  return {
    take(length) {
      const from = bodyStart(length);
      if (from === undefined) return false;
      if (bytes === 0 && length > from) firstByteMs = performance.now() - started;
      hash?.update(buffer.subarray(from, length));
      bytes += length - from;
      received?.(length - from);
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
