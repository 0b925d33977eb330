import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { defined } from '../../base/text/defined.ts';
import type { ErrorCode } from '../../oci/errors.ts';
import { type ClientAddress, createClientAddress } from '../clients/client-address.ts';
import type { IncomingFacts, ProxyEvents, RequestKind } from '../events.ts';
import type { RequestFacts } from './exchange.ts';
import { type Failure, type FailureFields, failureFields } from './failure.ts';
import { cutStatus, type OwnCut, type OwnCuts } from './own-cuts.ts';
import type { FailedRequest } from './recent-failures.ts';

/** What the request log says about one request, filled in as its answer takes shape. */
export interface RequestRecord extends RequestFacts {
  /** The address that it comes from, as ClientAddress says. */
  readonly client: string;
  bytes: number;
  error?: ErrorCode;
  /** What the client was told instead of an answer, or could not be told within one. */
  failure?: Failure;
  /** Why we ended the connection within the answer. */
  cut?: OwnCut;
  /** The trace that the request is part of, where it is recorded. */
  traceId?: string;
  /** The `WWW-Authenticate` of a 401; not for the line. */
  challenge?: string;
}

declare module 'fastify' {
  interface FastifyReply {
    /** Absent only on replies that the framework makes for requests it cannot route. */
    record: RequestRecord;
  }
}

interface RequestLogOptions {
  /** Gets one line a request, at level `info`. */
  readonly log: { info(fields: Readonly<Record<string, unknown>>, message: string): void };
  /** Default: the other end of the connection. */
  readonly clientAddress?: ClientAddress;
  readonly events?: Pick<Partial<ProxyEvents>, 'answered' | 'requestOpened'>;
  /** Remembers requests that failed, under an id of `fresh`. Default: none. */
  readonly failures?: {
    readonly fresh: RequestIds['fresh'];
    readonly add: (request: FailedRequest) => void;
  };
  /** Which connections we end. Default: none. */
  readonly cuts?: Pick<OwnCuts, 'of'>;
}

interface Ended {
  readonly path: string;
  readonly status: number;
  readonly firstByteMs: number;
  readonly totalMs: number;
}

const saneId = /^[A-Za-z0-9._-]{1,64}$/;
const longestPath = 512;
const longestUserAgent = 200;
/** Nginx's word for a client that left before it had its answer. */
const clientLeft = 499;

/**
 * Gives every reply a record and logs it when the response is closed, however it ended. The query
 * stays out of the log, and every header field except the bounded user agent.
 */
export function requestLog(app: FastifyInstance, options: RequestLogOptions): void {
  const { log, clientAddress: addressOf = createClientAddress([]), events, cuts, failures } = options;
  app.decorateReply('record');
  app.addHook('onRequest', (request, reply, done) => {
    const startedAtMs = performance.now();
    reply.record = { client: addressOf(request.raw), bytes: 0 };
    const followed = events?.requestOpened?.(incomingFacts(request, reply.record.client));
    if (followed?.traceId !== undefined) reply.record.traceId = followed.traceId;
    reply.raw.once('close', () => {
      const endedAtMs = performance.now();
      const firstByteMs = rounded((reply.record.firstByteAtMs ?? endedAtMs) - startedAtMs);
      const totalMs = rounded(endedAtMs - startedAtMs);
      const cut = reply.raw.writableFinished ? undefined : cuts?.of(request.raw.socket);
      if (cut !== undefined) reply.record.cut ??= cut;
      const status = endedStatus(reply);
      const path = pathOf(request.raw.url ?? '');
      const answered = {
        kind: kindOf(path),
        status,
        firstByteSeconds: firstByteMs / 1000,
        totalSeconds: totalMs / 1000,
      };
      if (followed === undefined) events?.answered?.(answered);
      else followed.ended({ ...reply.record, status, firstByteMs }, () => events?.answered?.(answered));
      const facts = factsOf(request, reply.record, { path, status, firstByteMs, totalMs });
      const { failure, cut: ours } = reply.record;
      if (failure === undefined && ours === undefined) {
        log.info(facts, 'request');
        return;
      }
      const told = failure && failureFields(failure, request.id);
      const failed = failures && told && failedRequest(request, { facts, told, fresh: failures.fresh });
      if (failed !== undefined) failures?.add(failed);
      const own = failed?.clientId === undefined ? undefined : failed.id;
      log.info({ ...facts, cut: ours, ownRequestId: own, ...told }, 'request');
    });
    if (followed === undefined) done();
    else followed.within(done);
  });
}

function incomingFacts({ id, method, raw, headers }: FastifyRequest, client: string): IncomingFacts {
  const path = pathOf(raw.url ?? '');
  const isTls = 'encrypted' in raw.socket && raw.socket.encrypted === true;
  return { requestId: id, kind: kindOf(path), method, path, headers, isTls, client };
}

/**
 * The status of a closed response. One that we cut has the status of the reason, whatever its head
 * says; 499 if the client left before it had all of it. With the last byte it may leave, while the
 * body's sources are still being closed.
 */
export function endedStatus({ raw, record }: FastifyReply): number {
  if (raw.writableFinished || record.bytes === record.length) return raw.statusCode;
  const { cut, failure } = record;
  if (cut === undefined) return clientLeft;
  return cut === 'failure' ? (failure?.status ?? 500) : cutStatus[cut];
}

/** Ids of requests. */
export interface RequestIds {
  /** For `genReqId`: the client's valid `X-Request-Id`, else a fresh one. */
  of(incoming: IncomingMessage): string;
  /** One that no client chose. */
  fresh(): string;
}

export function createRequestIds(): RequestIds {
  const process = randomBytes(6)
    .toString('base64url')
    .replace(/[^A-Za-z0-9]/g, '0');
  let serial = 0;
  const fresh = (): string => {
    serial += 1;
    return `${process}-${serial.toString(36)}`;
  };
  return { fresh, of: ({ headers }) => givenId(headers) ?? fresh() };
}

/** The id that the client gave the request, if it is one that we repeat. */
function givenId(headers: IncomingHttpHeaders): string | undefined {
  const given = headers['x-request-id'];
  return typeof given === 'string' && saneId.test(given) ? given : undefined;
}

interface FailedFacts {
  readonly facts: ReturnType<typeof factsOf>;
  readonly told: FailureFields;
  readonly fresh: RequestIds['fresh'];
}

const longestHost = 260;
const longestQuestion = 300;

/**
 * What is remembered of a failure. A 401 to a request without a login is how each login begins, and
 * nothing to explain.
 */
function failedRequest(
  { headers, id: requestId }: FastifyRequest,
  { facts, told, fresh }: FailedFacts,
): FailedRequest | undefined {
  const { method, path, status, upstream, subject, cluster, rule, question, verdict, error } = facts;
  if (status === 401 && headers.authorization === undefined) return undefined;
  const clientId = givenId(headers);
  const { message, upstreamStatus, upstreamSaid, cause } = told;
  return {
    id: clientId === undefined ? requestId : fresh(),
    at: Date.now(),
    method,
    path,
    host: (headers.host ?? '').slice(0, longestHost),
    status,
    message,
    ...defined({
      clientId,
      error,
      upstream,
      subject,
      cluster,
      rule,
      verdict,
      upstreamStatus,
      upstreamSaid,
      cause,
    }),
    ...defined({ question: question?.slice(0, longestQuestion) }),
  };
}

/** One flat literal: what is spread is copied name by name, on the way of every request. */
function factsOf(request: FastifyRequest, record: RequestRecord, ended: Ended) {
  const { hit, upstream, subject, cluster, rule, question, verdict, asked, bytes, client, error } = record;
  const { traceId } = record;
  const { path, status, firstByteMs, totalMs } = ended;
  const { id: requestId, method } = request;
  const userAgent = request.headers['user-agent']?.slice(0, longestUserAgent);
  return {
    requestId,
    traceId,
    method,
    path,
    status,
    hit,
    upstream,
    subject,
    cluster,
    rule,
    question,
    verdict,
    asked,
    bytes,
    error,
    userAgent,
    client,
    firstByteMs,
    totalMs,
  };
}

/** The decoded path; empty for a URL with an authority, which may name a user. */
function pathOf(url: string): string {
  if (!url.startsWith('/')) return '';
  const mark = url.indexOf('?');
  const path = url.slice(0, Math.min(mark < 0 ? url.length : mark, longestPath));
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function kindOf(path: string): RequestKind {
  if (path === '/v2/' || path === '/v2') return 'ping';
  if (path === '/v2/auth') return 'token';
  if (path.includes('/manifests/')) return 'manifest';
  if (path.includes('/blobs/')) return 'blob';
  if (path.endsWith('/tags/list')) return 'tags';
  return path.includes('/referrers/') ? 'referrers' : 'other';
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
