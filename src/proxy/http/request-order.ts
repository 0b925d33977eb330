import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https';
import type { Socket } from 'node:net';

export interface OrderedServerOptions {
  /** Key and certificate; plain HTTP without. */
  readonly tls?: TlsOptions;
  /** The longest head of a request, in bytes. */
  readonly maxHeaderBytes: number;
  /** An idle connection is closed after this long, in milliseconds. */
  readonly keepAliveMs: number;
  /** A request must have arrived whole after this long, in milliseconds. */
  readonly requestMs: number;
  /** Whether a request without `Host` is refused. Default: true, as in RFC 9112 section 3.2. */
  readonly requiresHost?: boolean;
}

/** Requests that a connection may send ahead of their answers; clients of registries send none. */
const mostAhead = 64;

/**
 * A server that begins a request when the answer before it on the same connection has ended (RFC
 * 9112 section 9.3.2). Node begins all at once: an answer not yet assigned to its socket gets no
 * event when the socket closes, and an interim answer appears within the one before.
 */
export function createOrderedServer(handle: RequestListener, options: OrderedServerOptions): Server {
  const { tls, maxHeaderBytes: maxHeaderSize, keepAliveMs, requestMs, requiresHost = true } = options;
  const ordered = inOrder(handle);
  const heads = { maxHeaderSize, requireHostHeader: requiresHost };
  const server =
    tls === undefined ? createServer(heads, ordered) : createTlsServer({ ...tls, ...heads }, ordered);
  server.keepAliveTimeout = keepAliveMs;
  server.requestTimeout = requestMs;
  return server.on('checkContinue', inOrder(continued(handle)));
}

/** The same listener; each request waits until its response has the socket. */
function inOrder(handle: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, number>();
  return (request, response) => {
    if (response.socket !== null) return handle(request, response);
    const { socket } = request;
    const ahead = (waiting.get(socket) ?? 0) + 1;
    waiting.set(socket, ahead);
    if (ahead > mostAhead) return void socket.destroy();
    response.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
      // Node still flushes the response after its socket event. It also assigns one that
      // has closed already, where the response before ends after that, and no `close` comes again.
      queueMicrotask(() => {
        if (socket.writable) handle(request, response);
      });
    });
    return undefined;
  };
}

/** `Expect: 100-continue` is met when the request's turn has come (RFC 9110 section 10.1.1). */
function continued(handle: RequestListener): RequestListener {
  return (request, response) => {
    response.writeContinue();
    handle(request, response);
  };
}
