import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { defined } from '../../base/text/defined.ts';
import type { ForwardedReply, ForwardedRequest } from '../../fleet/protocol/forwarded.ts';
import { MemberFailed } from '../../fleet/protocol/proven-get.ts';
import { failure } from '../http/failure-hooks.ts';
import { schemaless } from '../schemaless.ts';
import { askerOf, type MirrorApiOptions, mirrorOrders, mirrorQueue, refused } from './mirror-api.ts';
import { holdOrders, type MirrorHoldsOptions, mirrorHolds } from './mirror-holds.ts';

/** The one process of a fleet that mirrors. */
export interface MirrorLeader {
  /** Whether this process answers itself: it leads, or knows no others. */
  isHere(): boolean;
  /**
   * Its answer; undefined where no process is known to lead, and nothing was done. Throws
   * MemberFailed: `unasked` for a request that is too long, else it may have been done.
   */
  forward(request: ForwardedRequest): Promise<ForwardedReply | undefined>;
}

/** A new leader is known after that, seconds. */
const retryAfterSeconds = 2;

/** What goes through the store, as well without a leader. */
const inStore: ReadonlySet<string> = new Set([
  'POST /api/v1/mirrors',
  'GET /api/v1/mirrors/holds',
  'POST /api/v1/mirrors/hold',
  'POST /api/v1/mirrors/release',
]);

/**
 * Requests to the routes of a scope go to the process that leads, once: one that has no answer may
 * have been carried out, and is not sent again. The caller has been let in here; no login is passed
 * on.
 */
export function leaderFirst(scope: FastifyInstance, leader: MirrorLeader): void {
  scope.addHook('preHandler', async (request, reply) => {
    if (leader.isHere()) return;
    try {
      const answer = await leader.forward(forwardedOf(request));
      if (answer !== undefined) return passedOn(reply, answer);
    } catch (error) {
      if (!(error instanceof MemberFailed)) throw error;
      if (error.how === 'unasked') return refused(reply, 400, error.message);
      return later(reply, `the process that mirrors did not answer${isOrder(request) ? maybeDone : ''}`);
    }
    const { method, routeOptions } = request;
    if (inStore.has(`${method} ${routeOptions.url}`)) return;
    return later(reply, 'no process is known to mirror at the moment; try again');
  });
}

const maybeDone = '; it may have carried out the order: look before you repeat it';

function isOrder({ method }: FastifyRequest): boolean {
  return method !== 'GET';
}

function later(reply: FastifyReply, message: string): FastifyReply {
  return refused(reply.header('retry-after', retryAfterSeconds), 503, message);
}

function forwardedOf(request: FastifyRequest): ForwardedRequest {
  const { method, url, body } = request;
  // The routes have these methods alone.
  const known = method === 'POST' || method === 'DELETE' ? method : 'GET';
  return { method: known, url, ...askerOf(request), ...defined({ body }) };
}

function passedOn(reply: FastifyReply, { status, contentType, bytes }: ForwardedReply): FastifyReply {
  return reply.code(status).header('content-type', contentType).send(Buffer.from(bytes));
}

/**
 * The process that leads: answers what others pass on as if its sender had asked here. Undefined
 * where this process does not lead. It passes nothing on, so that no circle can form.
 */
export function answersForwarded(
  mirror: MirrorApiOptions & MirrorHoldsOptions,
  isLeading: () => boolean,
): (request: ForwardedRequest) => Promise<ForwardedReply | undefined> {
  const app: FastifyInstance = fastify({ ...schemaless, exposeHeadRoutes: false });
  failure(app);
  mirrorQueue(app, mirror);
  mirrorOrders(app, mirror);
  mirrorHolds(app, mirror);
  holdOrders(app, mirror);
  return async ({ method, url, body, client, userAgent }) => {
    if (!isLeading()) return undefined;
    const answer = await app.inject({
      ...{ method, url, remoteAddress: client },
      headers: { ...defined({ 'user-agent': userAgent }), ...(body !== undefined && asJson) },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    });
    const contentType = String(answer.headers['content-type'] ?? '');
    return { status: answer.statusCode, contentType, bytes: answer.rawPayload };
  };
}

const asJson = { 'content-type': 'application/json' } as const;
