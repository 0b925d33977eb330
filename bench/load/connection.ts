/** The sockets of the clients: one request after the other, each answer counted. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { acceptManifests } from '../../src/oci/manifest.ts';
import type { Pull, Pulled, PullMeans } from './pull.ts';

/** How often a slow client reads. */
export const slowTickMs = 200;

const headEnd = '\r\n\r\n';

interface Asked {
  readonly body: BodyCounter;
  readonly answered: (pulled: Pulled) => void;
}

/** A raw socket, whose reads all go into one buffer and are forgotten. */
export class Connection {
  readonly #buffer: Buffer;
  readonly #socket: Socket;
  #asked: Asked | undefined;

  constructor(to: Pull, buffer: Buffer) {
    this.#buffer = buffer;
    this.#socket = opened(to, buffer, (length) => {
      if (this.#asked?.body.take(length) === true) this.#answer();
    });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.once('close', () => this.#answer());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Makes a request, once the one before has its answer. Never rejects, as `pull`. */
  ask(request: Pull, means: Omit<PullMeans, 'buffer'> = {}): Promise<Pulled> {
    const { promise, resolve } = Promise.withResolvers<Pulled>();
    this.#asked = { body: bodyCounter({ ...means, buffer: this.#buffer }), answered: resolve };
    this.#socket.write(headOf(request, new URL(request.origin).host));
    return promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #answer(): void {
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.answered(asked.body.result());
  }
}

/**
 * The connections of one client. As a puller's HTTP client does, it asks on one that is free, and
 * opens another only when none is.
 */
export class Connections {
  readonly #buffer: Buffer;
  readonly #all = new Set<Connection>();
  readonly #free = new Map<string, Connection[]>();

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  /** As `pull`; to where a redirect leads, without the login. */
  async followed(request: Pull): Promise<Pulled> {
    const pulled = await this.pull(request);
    if (pulled.location === undefined) return pulled;
    const { origin, pathname, search } = new URL(pulled.location, request.origin);
    return this.pull({ origin, path: `${pathname}${search}` });
  }

  /** Never rejects, as `pull`. What a server closed while it was free is asked again, once. */
  async pull(request: Pull): Promise<Pulled> {
    let kept = this.#freeOf(request).pop();
    while (kept?.isOpen === false) kept = this.#freeOf(request).pop();
    if (kept === undefined) return this.#ask(new Connection(request, this.#buffer), request);
    const pulled = await this.#ask(kept, request);
    return pulled.status === 0 ? this.#ask(new Connection(request, this.#buffer), request) : pulled;
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  async #ask(connection: Connection, request: Pull): Promise<Pulled> {
    this.#all.add(connection);
    const pulled = await connection.ask(request);
    if (pulled.isWhole && connection.isOpen) this.#freeOf(request).push(connection);
    else connection.close();
    return pulled;
  }

  #freeOf({ origin }: Pull): Connection[] {
    const free = this.#free.get(origin) ?? [];
    this.#free.set(origin, free);
    return free;
  }
}

/** A connection whose bytes go into the buffer; `taken` is told how many. */
function opened(
  { origin, bytesPerSecond = 0 }: Pull,
  buffer: Buffer,
  taken: (length: number) => void,
): Socket {
  const { port, protocol } = new URL(origin);
  const isSlow = bytesPerSecond > 0;
  const callback = (length: number): boolean => {
    taken(length);
    if (isSlow) setTimeout(() => socket.resume(), slowTickMs);
    return !isSlow;
  };
  const to = { port: Number(port), host: '127.0.0.1', onread: { buffer, callback } };
  // The certificate is of an authority that the bench made: who is at the other end is known.
  const socket: Socket =
    protocol === 'https:'
      ? connectTls({ ...to, rejectUnauthorized: false }).setNoDelay(true)
      : connect({ ...to, noDelay: true });
  return socket;
}

function headOf({ path, headers = {} }: Pull, host: string): string {
  const lines = Object.entries({ host, accept: `${acceptManifests}, */*`, ...headers });
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
  let state: Head & { readonly isInBody: boolean } = { status: 0, length: -1, isInBody: false };
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
      ...(state.location === undefined ? {} : { location: state.location }),
    }),
  };
}

interface Head {
  readonly status: number;
  /** Of the body, bytes; -1 where the head does not say. */
  readonly length: number;
  readonly location?: string;
}

function readHead(head: string): Head {
  const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const location = /\nlocation: *(\S+)/i.exec(head)?.[1];
  return {
    status: Number(head.slice(9, 12)),
    length: length === undefined ? -1 : Number(length),
    ...(location === undefined ? {} : { location }),
  };
}
