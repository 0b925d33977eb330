import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fairTimer } from '../../base/time/wait.ts';
import type { IncomingBytes } from './body-bytes.ts';
import { createReceiveBuffer } from './receive-buffer.ts';

/** How to get to a host that is reached straight. */
export interface ConnectOptions {
  /** Names are resolved by it. Default: as the system does. */
  readonly lookup?: LookupFunction;
  /** PEM texts, and whether the server must prove who it is. */
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly rejectUnauthorized: boolean;
    /** Default: the name of the host must be the certificate's. */
    readonly checkServerIdentity?: () => undefined;
  };
  /** Until the connection stands, TLS included, milliseconds. */
  readonly connectTimeoutMs: number;
  /** The Unix socket of a host on this machine, `http:` only. Default: hosts are reached by TCP. */
  readonly socketOf?: (host: string) => string;
}

/** A connection whose bytes arrive in memory that is used again. */
export interface PooledSocket extends IncomingBytes {
  /** Resolves when the connection stands; rejects with what it failed with. */
  readonly opened: Promise<void>;
  /** Whether it has bytes that no reader asked for, or the connection is over, or about to be. */
  readonly isStale: boolean;
  send(text: string): void;
  /**
   * With a reason, readers that wait for bytes get it as their error. Harmless when done again.
   */
  destroy(reason?: Error): void;
  /**
   * Returns the socket to the idle pool and unrefs it. `over` is called once, on `acquire` or when
   * the peer closes.
   */
  release(over: () => void): void;
  acquire(): void;
  /**
   * Calls `listener` once the connection is over, soon if it is. What it returns takes that back: a
   * connection outlives its answers.
   */
  onClose(listener: () => void): () => void;
}

/** With this much unread a socket is left to fill its own buffers, bytes. */
const mostUnread = 128 * 1024;

/** Begins to connect to the host of the URL, `http:` or `https:`. */
export function createPooledSocket(url: URL, line: ConnectOptions): PooledSocket {
  const received = createReceiveBuffer();
  let failure: Error | undefined;
  let isOver = false;
  let unread: Uint8Array | undefined;
  let observer: (() => void) | undefined;
  let released: (() => void) | undefined;
  const opened = Promise.withResolvers<void>();
  const listeners = new Set<() => void>();
  const observed = (): void => {
    observer?.();
    observer = undefined;
  };
  const acquired = (): void => {
    released?.();
    released = undefined;
  };
  const over = (error?: Error): void => {
    if (isOver) return;
    isOver = true;
    failure ??= error;
    socket.destroy();
    timer[Symbol.dispose]();
    opened.reject(failure ?? new Error('the connection ended before it stood'));
    acquired();
    for (const listener of listeners) listener();
    observed();
  };
  const socket = socketTo(url, line, {
    buffer: () => received.room(),
    callback(bytes) {
      received.filled(bytes);
      // No reader asked: this is not the answer to anything.
      if (released !== undefined) socket.destroy();
      observed();
      return received.length < mostUnread;
    },
  });
  const timer = fairTimer(
    () => socket.destroy(Object.assign(new Error('the connection took too long'), { code: 'ETIMEDOUT' })),
    line.connectTimeoutMs,
  );
  socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
    timer[Symbol.dispose]();
    opened.resolve();
  });
  socket
    .on('error', over)
    .once('end', () => over())
    .once('close', () => over(cutOff()));
  opened.promise.catch(() => undefined);

  async function next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = unread ?? received.take();
      unread = undefined;
      if (bytes !== undefined) return bytes;
      if (failure !== undefined) throw failure;
      if (isOver) return undefined;
      const { promise, resolve } = Promise.withResolvers<void>();
      observer = resolve;
      socket.resume();
      await promise;
    }
  }

  return {
    opened: opened.promise,
    get isStale() {
      return isOver || socket.destroyed || unread !== undefined || received.length > 0;
    },
    next,
    unread(bytes) {
      unread = bytes.byteLength > 0 ? bytes : undefined;
    },
    send: (text) => void socket.write(text, 'latin1'),
    destroy(reason) {
      failure ??= reason;
      socket.destroy(reason);
    },
    release(over) {
      released = over;
      socket.resume();
      socket.unref();
    },
    acquire() {
      acquired();
      socket.ref();
    },
    onClose(listener) {
      if (isOver) queueMicrotask(listener);
      else listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** By us: where the other side ended, a body without a length would be whole. */
function cutOff(): Error {
  return new Error('the connection was cut');
}

interface OnRead {
  readonly buffer: () => Uint8Array;
  readonly callback: (bytes: number) => boolean;
}

function socketTo(
  { protocol, hostname, port }: URL,
  { lookup, tls, socketOf }: ConnectOptions,
  onread: OnRead,
): Socket {
  const host = hostname.replace(/^\[|\]$/g, '');
  const place = { host, ...(lookup === undefined ? {} : { lookup }), onread };
  if (socketOf !== undefined) return connect({ path: socketOf(host), onread });
  if (protocol === 'http:') return connect({ ...place, port: Number(port || 80), noDelay: true });
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ ...place, ...tls, ...name, port: Number(port || 443), ALPNProtocols: ['http/1.1'] });
}
