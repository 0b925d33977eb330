import { validateHeaderName, validateHeaderValue } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { fairTimer } from '../../base/time/wait.ts';
import {
  longestHead,
  malformed,
  type ResponseBody,
  type UpstreamRequest,
  type UpstreamResponse,
} from '../exchange.ts';
import { bodyBytes, type IncomingBytes } from './body-bytes.ts';
import type { ConnectOptions, PooledSocket } from './pooled-socket.ts';
import { parseHead, type ResponseHead } from './response-head.ts';
import { createSocketPool } from './socket-pool.ts';

/** A GET whose body may be large. */
export interface DownloadAsk extends Pick<UpstreamRequest, 'url' | 'headers' | 'signal'> {
  readonly line: ConnectOptions;
  /**
   * Until the head of the answer, and between two pieces of its body while a reader waits for one;
   * milliseconds.
   */
  readonly firstByteTimeoutMs: number;
  readonly progressTimeoutMs: number;
  /** An interim answer came (RFC 9110 section 15.2). */
  readonly informed?: () => void;
}

/**
 * GETs by HTTP/1.1 on connections of our own, whose bytes arrive in memory that is used again.
 */
export interface Downloads {
  /** Rejects when there is no answer, or none that can be understood; a bad status is an answer. */
  get(ask: DownloadAsk): Promise<UpstreamResponse>;
  /** Cuts every connection. */
  close(): void;
}

/** How long a connection is kept where the server does not say, and at most, milliseconds. */
const idleMs = 4_000;
const longestIdleMs = 25_000;

/** At rest for each host: more of them came from a burst that is over. */
const usuallyAtRest = 16;

/** No connection yet. `mostAtRest` are kept for each host between two answers; default 16. */
export function createDownloads({ mostAtRest = usuallyAtRest } = {}): Downloads {
  const sockets = createSocketPool(mostAtRest);

  async function answered(ask: DownloadAsk, socket: PooledSocket): Promise<UpstreamResponse> {
    const { url, line, signal, progressTimeoutMs } = ask;
    const stop = (): void => socket.destroy(signal?.reason);
    const letGo = (): void => signal?.removeEventListener('abort', stop);
    signal?.addEventListener('abort', stop);
    try {
      await socket.opened;
      socket.send(requestText(ask));
      const head = await headOf(socket, ask);
      const ended = (isWhole: boolean): void => {
        letGo();
        if (isWhole && head.isKept) sockets.keep(url, line, socket, idleOf(head));
        else socket.destroy();
      };
      return {
        status: head.status,
        headers: head.headers,
        url,
        body: bodyOf(head, socket, ended, progressTimeoutMs),
      };
    } catch (error) {
      letGo();
      socket.destroy();
      throw error;
    }
  }

  return {
    async get(ask) {
      // A connection at rest to which bytes came unasked has read them, and is cut, by the end of
      // this turn of the loop.
      await setImmediate();
      ask.signal?.throwIfAborted();
      const kept = sockets.take(ask.url, ask.line);
      if (kept === undefined) return answered(ask, sockets.open(ask.url, ask.line));
      try {
        return await answered(ask, kept);
      } catch (error) {
        // The server may have cut it in the moment we used it: that is no failure.
        if (!(error instanceof NoAnswer)) throw error;
        ask.signal?.throwIfAborted();
        return answered(ask, sockets.open(ask.url, ask.line));
      }
    },
    close: sockets.close,
  };
}

/** The connection ended before the first byte of an answer. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  readonly code = 'UND_ERR_SOCKET';
}

/** Throws for a header that would be another one to the server. */
function requestText({ url, headers = {} }: DownloadAsk): string {
  const fields = { host: url.host, 'user-agent': 'quayside', 'accept-encoding': 'identity', ...headers };
  const lines = Object.entries(fields).map(([name, value]) => {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return `${name}: ${value}`;
  });
  return [`GET ${url.pathname}${url.search} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

async function headOf(socket: PooledSocket, ask: DownloadAsk): Promise<ResponseHead> {
  using _timer = fairTimer(() => socket.destroy(lateAnswer()), ask.firstByteTimeoutMs);
  for (;;) {
    const head = parseHead(await headText(socket));
    if (head.status === 101) throw malformed('status');
    if (head.status >= 200) return head;
    ask.informed?.();
  }
}

/** By undici's name for it. */
function lateAnswer(): Error {
  return Object.assign(new Error('no answer came in time'), { code: 'UND_ERR_HEADERS_TIMEOUT' });
}

const emptyLine = Buffer.from('\r\n\r\n');

/** Up to the empty line, without it. Each byte is looked at once, however small the pieces are. */
async function headText(socket: PooledSocket): Promise<string> {
  const pieces: Buffer[] = [];
  let tail = Buffer.alloc(0);
  for (let length = 0; ; ) {
    const bytes = await (length === 0 ? firstBytes(socket) : socket.next());
    if (bytes === undefined) throw malformed('head');
    const piece = Buffer.from(bytes.subarray(0, longestHead));
    const seam = Buffer.concat([tail, piece]);
    const end = seam.indexOf(emptyLine);
    pieces.push(piece);
    const headLength = length - tail.byteLength + end;
    length += piece.byteLength;
    if (end >= 0 ? headLength > longestHead : length >= longestHead) throw malformed('head');
    tail = seam.subarray(-3);
    if (end < 0) continue;
    socket.unread(bytes.subarray(headLength + emptyLine.byteLength - (length - piece.byteLength)));
    return Buffer.concat(pieces).toString('latin1', 0, headLength);
  }
}

async function firstBytes(socket: PooledSocket): Promise<Uint8Array> {
  const bytes = await socket.next().catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    throw code === 'ECONNRESET' || code === 'EPIPE' ? new NoAnswer(endedEarly, { cause }) : cause;
  });
  if (bytes === undefined) throw new NoAnswer(endedEarly);
  return bytes;
}

const endedEarly = 'the connection ended before an answer came';

/** What the server says about it, less a second for the way. */
function idleOf({ headers }: ResponseHead): number {
  const hint = /\btimeout=(\d{1,6})\b/.exec(headers['keep-alive']?.toString() ?? '')?.[1];
  return hint === undefined ? idleMs : Math.min(longestIdleMs, Math.max(0, Number(hint) * 1_000 - 1_000));
}

/**
 * Can be read once; a second reader gets nothing. `ended` is called once, when no byte is to come
 * any more.
 */
function bodyOf(
  { framing }: ResponseHead,
  socket: PooledSocket,
  ended: (isWhole: boolean) => void,
  progressTimeoutMs: number,
): ResponseBody {
  const listeners: (() => void)[] = [];
  let isBegun = false;
  let isClosed = false;
  const timed = impatient(socket, progressTimeoutMs);
  const close = (isWhole: boolean): void => {
    if (isClosed) return;
    isClosed = true;
    timed.done();
    forget();
    ended(isWhole);
    for (const listener of listeners) listener();
  };
  const forget = socket.onClose(() => close(false));

  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    if (isBegun) return;
    isBegun = true;
    let left = framing.kind === 'length' ? framing.bytes : Number.POSITIVE_INFINITY;
    try {
      for await (const bytes of bodyBytes(timed, framing)) {
        left -= bytes.byteLength;
        yield bytes;
      }
      left = 0;
    } finally {
      // Who knows the size does not ask for the end: all that came is whole for them too.
      close(left === 0);
    }
  }

  return {
    get closed() {
      return isClosed;
    },
    once: (_event, listener) => void listeners.push(listener),
    destroy(reason) {
      if (!isClosed) socket.destroy(reason);
      close(false);
    },
    [Symbol.asyncIterator]: read,
  };
}

/** The same bytes; a connection that brings none for so long while a reader waits is cut. */
function impatient(socket: PooledSocket, timeoutMs: number): IncomingBytes & { done(): void } {
  let isWaiting = false;
  const timer = fairTimer(() => {
    if (isWaiting) socket.destroy(new Error('no byte came in time'));
  }, timeoutMs);
  return {
    async next() {
      isWaiting = true;
      timer.refresh();
      const bytes = await socket.next();
      isWaiting = false;
      return bytes;
    },
    unread: socket.unread,
    done: () => timer[Symbol.dispose](),
  };
}
