import { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Failure, failureFields, failureOf, frameworkFailure, rendered } from './failure.ts';
import type { RequestRecord } from './request-log.ts';

/** Gives the framework's own errors our form. For errors below it, use `failureHooks`. */
export function failure(app: FastifyInstance): void {
  app.setErrorHandler(answered);
  app.setNotFoundHandler((request, reply) => send(frameworkFailure(404), request, reply));
}

/** Options of `fastify()` for what goes wrong before a route is found. */
export const failureHooks = { frameworkErrors: unrouted, clientErrorHandler } as const;

/** Tells the log what a client is told, and what it is not; of the registry that was asked. */
export function logFailure(
  { log, id: requestId }: FastifyRequest,
  failed: Failure,
  upstream: string | undefined,
): void {
  const { status, code, cause, reply } = failed;
  if (status < 500) return;
  const { cause: _, ...fields } = failureFields(failed, requestId);
  const where = { requestId, upstream: reply?.upstream ?? upstream };
  log[status === 500 ? 'error' : 'warn']({ ...where, code, ...fields, err: cause }, 'request failed');
}

/** Keeps what the request's line says of a failure. */
export function noteFailure(record: RequestRecord, failed: Failure): void {
  const { code, headers } = failed;
  record.error = code;
  record.failure = failed;
  const challenge = headers['www-authenticate'];
  if (challenge !== undefined) record.challenge = challenge;
}

function answered(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (request.raw.socket.destroyed) {
    // The client left within its body: an answer reaches no client, and the failure is not ours.
    reply.hijack();
    return;
  }
  const failed = failureOf(error);
  logFailure(request, failed, reply.record?.upstream);
  send(failed, request, reply);
}

/** The request log's hook misses unroutable requests, so their line is written here. */
function unrouted(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const failed = failureOf(error);
  const { status, code } = failed;
  const { id: requestId, method, ip: client } = request;
  const { message } = failureFields(failed, requestId);
  request.log.info({ requestId, method, status, error: code, message, client }, 'request');
  answered(error, request, reply);
}

function send(failed: Failure, request: FastifyRequest, reply: FastifyReply): void {
  const { status, headers, body } = rendered(failed, request.id);
  if (reply.record !== undefined) {
    noteFailure(reply.record, failed);
    reply.record.bytes = body.byteLength;
  }
  reply.code(status).headers(headers).send(body);
}

/**
 * Bytes that Node cannot read as a request: refused after the answers to those before them, since
 * earlier bytes end up within an answer or in its place (RFC 9112 section 9.3.2).
 */
function clientErrorHandler(error: Error & { readonly code?: string }, socket: Socket): void {
  const answering = responseOn(socket);
  if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
  else if (answering === undefined || isAwaitingBody(answering))
    refuse(socket, statuses[error.code ?? ''] ?? 400);
  else if (!refused.has(socket)) {
    refused.add(socket);
    // Node gives the socket to the next response before it tells us.
    answering.once('finish', () => {
      refused.delete(socket);
      clientErrorHandler(error, socket);
    });
  }
}

/** The malformed bytes are then the request's body, and no answer precedes their refusal. */
function isAwaitingBody({ req, headersSent }: ServerResponse): boolean {
  return !req.complete && !headersSent;
}

/** Connections with malformed bytes that wait for earlier answers: Node repeats its event. */
const refused = new WeakSet<Socket>();

function refuse(socket: Socket, code: number): void {
  const { status, headers, body } = rendered(frameworkFailure(code));
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, text]) => `${name}: ${text}`);
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

const statuses: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** The response under way on the socket, found as by Node's own default handler. */
function responseOn(socket: Socket): ServerResponse | undefined {
  const response: unknown = Reflect.get(socket, '_httpMessage');
  return response instanceof ServerResponse ? response : undefined;
}
