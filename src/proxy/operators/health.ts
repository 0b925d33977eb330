import type { FastifyInstance, FastifyReply } from 'fastify';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';

interface HealthOptions {
  /** Whether a pull could be answered now. What throws counts as no. */
  isReady(): MaybePromise<boolean>;
  /** Lines below the answer of `/readyz`, which decide nothing. Default: none. */
  notes?(): readonly string[];
}

/** `/livez` and `/healthz`: the process answers; `/readyz`: 503 unless `isReady`. */
export function health(app: FastifyInstance, { isReady, notes = () => [] }: HealthOptions): void {
  const alive = async (_request: unknown, reply: FastifyReply) => text(reply, 200, 'OK\n');
  const ready = async (_request: unknown, reply: FastifyReply) => {
    const isYes = await Promise.try(isReady).catch(() => false);
    const lines = [isYes ? 'OK' : 'not ready', ...notes()];
    return text(reply, isYes ? 200 : 503, lines.map((line) => `${line}\n`).join(''));
  };
  for (const method of ['GET', 'HEAD'] as const) {
    app.route({ method, url: '/livez', handler: alive });
    app.route({ method, url: '/readyz', handler: ready });
  }
  // By any method, before a body is looked at.
  app.route({ method: app.supportedMethods, url: '/healthz', onRequest: alive, handler: alive });
}

function text(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'text/plain; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(body);
}
