import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyHttpProxyOptions } from '@fastify/http-proxy';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { clientSignal, send } from '../http/body.ts';
import { answer, begin, type Exchange, type Headers } from '../http/exchange.ts';
import { schemaless } from '../schemaless.ts';
import { blobHeaders } from './blobs.ts';

type BypassRequest = Extract<RegistryRequest, { kind: 'blob' }>;
type BlobUpstream = Pick<CachedRegistry['upstream'], 'forwardBlob'>;
type PassedBlob = NonNullable<Awaited<ReturnType<BlobUpstream['forwardBlob']>>>;

/** Answers with the upstream's own answer for a blob. Throws `BLOB_UNKNOWN` and its errors. */
type Bypass = (exchange: Exchange, request: BypassRequest, upstream: BlobUpstream) => Promise<void>;

/** One request through http-proxy, whose client and hooks do not know the request. */
interface Passage {
  readonly exchange: Exchange;
  readonly request: BypassRequest;
  readonly upstream: BlobUpstream;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

type Passages = AsyncLocalStorage<Passage | undefined>;

/** What a client may say to the upstream. All else is made by us, so nothing can be smuggled. */
const conditions = ['range', 'if-range', 'if-none-match'] as const;
/** What an upstream may say to a client, over what we say of every blob. */
const passedOn = ['content-length', 'content-range', 'etag'] as const;
/** More than any path that the parse of a request lets through. */
const maxPathBytes = 64 * 1024;

/**
 * Blobs past the cache, by `@fastify/http-proxy`: the upstream's redirect goes to the client
 * unchanged, so that no byte of a layer passes through this process; without a redirect, its bytes
 * pass through and are not stored. The request was authorized before. The upstream sees a request
 * of ours, with our login, over our verified connections and within our limits. The library, and
 * its server, which listens nowhere, are loaded with the first such blob.
 */
export function createBypass(): Bypass {
  const passages: Passages = new AsyncLocalStorage();
  let loaded: ReturnType<typeof forwarder> | undefined;

  return async (exchange, request, upstream) => {
    loaded ??= forwarder(passages);
    const forward = await loaded;
    await new Promise<void>((done, failed) => {
      passages.run({ exchange, request, upstream, done, failed }, () => forward(exchange.req, exchange.res));
    });
  };
}

async function forwarder(passages: Passages): Promise<FastifyInstance['routing']> {
  const { default: httpProxy } = await import('@fastify/http-proxy');
  const failed = (error: unknown): void => passages.getStore()?.failed(error);
  const app: FastifyInstance = fastify({
    ...schemaless,
    frameworkErrors: failed,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: maxPathBytes },
  });
  app.setErrorHandler(failed);
  await app.register(httpProxy, forwarding(passages));
  await app.ready();
  return app.routing;
}

/** Its own client would accept any certificate, and retry a 503 eleven times. Ours does neither. */
function forwarding(passages: Passages): FastifyHttpProxyOptions {
  return {
    undici: { request: requestOf(passages) },
    // Where to, the passage says.
    upstream: 'http://upstream.invalid',
    preRewrite: () => '/',
    httpMethods: ['GET', 'HEAD'],
    routes: ['*'],
    disableCache: true,
    internalRewriteLocationHeader: false,
    replyOptions: {
      queryString: () => '',
      retryDelay: () => null,
      onResponse(_request, reply, { stream }) {
        const passage = passages.getStore();
        reply.hijack();
        if (passage === undefined) stream.destroy();
        else handedOn(passage, reply, stream).then(passage.done, passage.failed);
      },
    },
  };
}

type UndiciRequest = Extract<FastifyHttpProxyOptions['undici'], { request: unknown }>['request'];

/**
 * The upstream in the form of undici's `request` with a callback, as http-proxy uses it. Runs
 * outside of the passage's context, or a kept connection would retain its first request.
 */
function requestOf(passages: Passages): UndiciRequest {
  const request = (asked: { headers: IncomingHttpHeaders }, answered: BypassReply): void => {
    const passage = passages.getStore();
    if (passage === undefined) return;
    passages
      .run(undefined, () => forwarded(passage, asked.headers))
      .then(({ status, headers, body, location }) => {
        const { location: _, ...rest } = headers;
        const place = location === undefined ? {} : { location: location.href };
        answered(null, { statusCode: status, headers: { ...rest, ...place }, body });
      })
      .catch(passage.failed);
  };
  // Of undici's type it uses what is here (reply-from, lib/request.js).
  return request as unknown as UndiciRequest;
}

type BypassReply = (
  error: null,
  answer: Pick<PassedBlob, 'headers' | 'body'> & { readonly statusCode: number },
) => void;

async function forwarded(
  { exchange, request, upstream }: Passage,
  asked: IncomingHttpHeaders,
): Promise<PassedBlob> {
  const { repository, digest } = request;
  const blob = await upstream.forwardBlob(repository, digest, {
    method: exchange.req.method === 'HEAD' ? 'HEAD' : 'GET',
    conditions: picked(conditions, (name) => asked[name]?.toString()),
    signal: clientSignal(exchange.res),
  });
  if (blob !== undefined) return blob;
  throw new RegistryError('BLOB_UNKNOWN', 'the repository has no such blob', { detail: { digest } });
}

/** A redirect is not cacheable: its URL is signed for minutes, though quay allows a year. */
async function handedOn(
  { exchange, request }: Passage,
  reply: Pick<FastifyReply, 'statusCode' | 'getHeader'>,
  body: Readable,
): Promise<void> {
  const { statusCode } = reply;
  const location = reply.getHeader('location');
  const own = blobHeaders(request);
  exchange.log.hit = 'bypass';
  if (location !== undefined) {
    answer(exchange, statusCode, { ...own, location, 'cache-control': 'no-store', 'content-length': 0 });
    return;
  }
  const headers = { ...own, ...partsType(reply), ...picked(passedOn, (name) => reply.getHeader(name)) };
  if (exchange.req.method === 'HEAD' || statusCode === 304) {
    body.resume();
    answer(exchange, statusCode, headers);
  } else {
    begin(exchange, statusCode, headers);
    exchange.log.length = Number(headers['content-length']);
    await send(exchange.res, body, exchange);
  }
}

/** Of several parts each says its range. Otherwise the type is ours: no blob is a page here. */
function partsType(reply: Pick<FastifyReply, 'getHeader'>): Headers {
  const type = String(reply.getHeader('content-type'));
  return /^multipart\/byteranges\b/i.test(type) ? { 'content-type': type } : {};
}

function picked<Name extends string, Value extends Headers[string]>(
  names: readonly Name[],
  fieldOf: (name: Name) => Value | undefined,
): Record<string, Value> {
  const fields: Record<string, Value> = {};
  for (const name of names) {
    const value = fieldOf(name);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
