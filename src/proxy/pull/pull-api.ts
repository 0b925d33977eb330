// Room `proxy/pull`: the pull API under /v2. In: admitted requests. Out: manifests, blobs, lists,
// redirects. Imports: base, oci, proxy, proxy/access, proxy/http; types of auth/guards, cache,
// cache/blobs, cache/listings, cache/manifests, cache/registry, proxy/clients, store.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { lasting } from '../../base/flow/lasting.ts';
import { andThen, type MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { Entered } from '../../base/state/succession.ts';
import type { CacheEvents } from '../../cache/events.ts';
import type { Listings } from '../../cache/listings/listings.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import { type ParsedRequest, parseRequest } from '../../oci/request.ts';
import type { Admitted } from '../access/admission.ts';
import { type FailedLogins, heldBack, isHeldBack } from '../access/auth-errors.ts';
import type { RoutedRequest } from '../access/route.ts';
import type { Limit, ReleaseSlot } from '../clients/limits.ts';
import type { ProxyEvents } from '../events.ts';
import { ClientGone, clientSignal, unlessGone } from '../http/body.ts';
import { answer, type Exchange } from '../http/exchange.ts';
import { failureOf, writeFailure } from '../http/failure.ts';
import { logFailure, noteFailure } from '../http/failure-hooks.ts';
import { named } from '../http/sentence.ts';
import type { BlobAnswers } from './blob-modes.ts';
import type { Generation } from './generation.ts';
import { answerReferrers, answerTags } from './listings.ts';
import { answerManifest, wantedBy } from './manifests.ts';
import { refusalFor } from './next-mirror.ts';
import { inPart, type Visible } from './partial-list.ts';

interface PullApiOptions {
  readonly enter: () => Entered<Pick<Generation, 'admission' | 'registries' | 'blobModes'>>;
  readonly limits: { readonly read: Limit; readonly blobs: Limit; readonly write: Limit };
  /** Delays guesses of logins. Default: none. */
  readonly attempts?: FailedLogins;
  readonly blobs: BlobAnswers;
  readonly events: Pick<CacheEvents, 'read'> & Pick<Partial<ProxyEvents>, 'admitting' | 'parsed' | 'sent'>;
}

type PullGeneration = ReturnType<PullApiOptions['enter']>['value'];

/** A request that may be answered, by what the configuration said when it came. */
interface AdmittedWork {
  readonly request: FastifyRequest;
  readonly exchange: Exchange;
  readonly admitted: Admitted;
  readonly generation: PullGeneration;
}

/**
 * The pull API under `/v2`: each request is parsed once, waits for its turn, is admitted, and is
 * answered on the raw response. The body of a blob, which takes as long as its client likes, has a
 * turn of its own, that no small answer waits for. What is thrown on the way is answered in one
 * place.
 */
export function pullApi(app: FastifyInstance, options: PullApiOptions): void {
  const { enter, limits, attempts, events } = options;

  function handledWithin(limit: Limit): (request: FastifyRequest, reply: FastifyReply) => void {
    return (request, reply) => {
      reply.hijack();
      const broken = (error: unknown): void => failedInTime(request, reply, error);
      try {
        const turn = limit.enter(() => clientSignal(reply.raw), reply.record.client);
        const done = andThen(turn, (leave) => inTurn(leave, request, reply));
        if (done instanceof Promise) done.catch(broken);
      } catch (error) {
        broken(error);
      }
    };
  }

  function failedInTime(request: FastifyRequest, reply: FastifyReply, error: unknown): void {
    const broken = (why: unknown): void => failed(request, reply, why);
    if (attempts === undefined || !isHeldBack(error)) broken(error);
    else heldBack(error, attempts, [reply.record.client, clientSignal(reply.raw)]).then(broken, broken);
  }

  function inTurn(leave: ReleaseSlot, request: FastifyRequest, reply: FastifyReply): MaybePromise<void> {
    const { value: generation, leave: over } = enter();
    let done: MaybePromise<void>;
    try {
      done = answered(leave, request, reply, generation);
    } catch (error) {
      over();
      leave();
      throw error;
    }
    if (!(done instanceof Promise)) {
      over();
      leave();
      return;
    }
    // The work may outlive a client that goes.
    done.then(over, over);
    return unlessGone(done, reply.raw).finally(leave);
  }

  function answered(
    leave: ReleaseSlot,
    request: FastifyRequest,
    reply: FastifyReply,
    generation: PullGeneration,
  ): MaybePromise<void> {
    const { raw, method } = request;
    const parsed = parseRequest(method, raw.url ?? '');
    events.parsed?.(parsed);
    const admit = () => generation.admission(raw, parsed, reply.record, reply.record.client);
    return andThen(lasting(events.admitting, parsed, admit), (admitted) => {
      const exchange = exchangeOf(request, reply, parsed, generation);
      const work = { request, exchange, admitted, generation };
      if (parsed.request.kind !== 'blob' || method !== 'GET') return serve(work);
      leave();
      return serveInTurn(work);
    });
  }

  async function serveInTurn(work: AdmittedWork): Promise<void> {
    const { exchange, admitted } = work;
    const { res, clientAddress } = exchange;
    const subject = admitted.host.guard === undefined ? '' : admitted.subject.name;
    const leave = await limits.blobs.enter(() => clientSignal(res), clientAddress, subject);
    try {
      await unlessGone(Promise.resolve(serve(work)), res);
    } finally {
      leave();
    }
  }

  function exchangeOf(
    request: FastifyRequest,
    reply: FastifyReply,
    { namespace }: ParsedRequest,
    { registries }: PullGeneration,
  ): Exchange {
    const { record } = reply;
    return {
      req: request.raw,
      res: reply.raw,
      requestId: request.id,
      namespace: registries.has(namespace ?? '') ? namespace : undefined,
      clientAddress: record.client,
      log: record,
      sent(bytes) {
        record.bytes += bytes;
        if (record.hit !== undefined) events.sent?.({ source: record.hit, bytes });
      },
      redirected: (bytes) => events.sent?.({ source: 'redirect', bytes }),
    };
  }

  function serve(work: AdmittedWork): MaybePromise<void> {
    const { request, exchange, admitted, generation } = work;
    const record = exchange.log;
    const { routed } = admitted;
    if (routed === undefined) {
      const body = Buffer.from('{}');
      return answer(exchange, 200, { 'content-type': 'application/json', 'content-length': 2 }, body);
    }
    const told = (): void => {
      if (record.hit !== undefined) events.read({ kind: routed.request.kind, hit: record.hit });
    };
    const registry = registryOf(routed, generation);
    const refused = (error: unknown): never => {
      // Within an answer no code can be said any more: the log has the failure as it is.
      const refusal = exchange.res.headersSent ? error : withAWayOn(error, routed, registry);
      const { upstream } = routed;
      if (refusal !== error) logFailure(request, failureOf(namedBy(error, upstream)), upstream);
      throw namedBy(refusal, upstream);
    };
    try {
      const done = answerRouted(work, routed, registry);
      return done instanceof Promise ? done.then(told, refused) : told();
    } catch (error) {
      return refused(error);
    }
  }

  function answerRouted(
    { exchange, admitted, generation }: AdmittedWork,
    { asked, request }: RoutedRequest,
    registry: CachedRegistry,
  ): MaybePromise<void> {
    switch (request.kind) {
      case 'manifest':
        return answerManifest(exchange, request, registry.manifests);
      case 'blob':
        return options.blobs(exchange, generation.blobModes.get(admitted.host.name), request, registry);
      case 'tags':
        return answerTags(exchange, request, asked, listingsFor(admitted, registry));
      case 'referrers':
        return answerReferrers(exchange, request, asked, registry.listings);
    }
  }

  const writes = app.supportedMethods.filter((method) => !reads.includes(method));
  for (const url of ['/v2', '/v2/', '/v2/*']) {
    app.route({ method: reads, url, handler: handledWithin(limits.read) });
    app.route({ method: writes, url, onRequest: refuseWrite, handler: handledWithin(limits.write) });
  }
}

function registryOf({ upstream }: RoutedRequest, { registries }: PullGeneration): CachedRegistry {
  const registry = registries.get(upstream);
  if (registry === undefined) throw new Error(`no registry was made for the upstream ${upstream}`);
  return registry;
}

const reads: string[] = ['GET', 'HEAD'];

/** Before its body is read. */
function refuseWrite({ method, raw }: FastifyRequest, _reply: FastifyReply, next: () => void): void {
  parseRequest(method, raw.url ?? '');
  next();
}

function listingsFor({ host, subject, decision }: Admitted, registry: CachedRegistry): Listings {
  const { listings, name: upstream } = registry;
  if (decision?.isPartial !== true) return listings;
  const { guard, name } = host;
  if (guard?.cursors === undefined) throw new Error('a list cannot be shown in part without cursors');
  const visible: Visible = (repository, tags) => guard.visible(subject, { upstream, repository }, tags);
  const mayPull = async (repository: Repository, tag: Tag): Promise<boolean> =>
    (await guard.authorize(subject, { upstream, repository, reference: { tag }, action: 'pull' })).allowed;
  const owner = { host: name, upstream, subject };
  return { ...listings, tags: inPart(listings, { visible, mayPull, cursors: guard.cursors, owner }) };
}

/** What was thrown, as the client is told of it; lists lead nowhere else. */
function withAWayOn(error: unknown, { request }: RoutedRequest, { manifests }: CachedRegistry): unknown {
  if (!(error instanceof RegistryError)) return error;
  if (request.kind === 'blob') return refusalFor('blob', error);
  return request.kind === 'manifest' ? refusalFor(wantedBy(request, manifests), error) : error;
}

function namedBy(error: unknown, upstream: string): unknown {
  return error instanceof RegistryError ? named(error, upstream) : error;
}

function failed(request: FastifyRequest, reply: FastifyReply, error: unknown): void {
  if (error instanceof ClientGone) {
    reply.raw.destroy();
    return;
  }
  const { record } = reply;
  if (reply.raw.headersSent) record.cut = 'failure';
  const failure = writeFailure(reply.raw, error, request.id);
  noteFailure(record, failure);
  logFailure(request, failure, record.upstream);
}
