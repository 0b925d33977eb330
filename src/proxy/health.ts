import type { FastifyInstance, FastifyReply } from 'fastify';

export interface HealthOptions {
  /** Whether a pull could be answered now. What throws counts as no. */
  isReady(): boolean | Promise<boolean>;
}

/** Asks one part of us whether it can serve. */
export type Probe = () => Promise<boolean>;

export interface ReadinessOptions {
  /** How long an answer is believed, in milliseconds. Default 1,000. */
  readonly rememberMs?: number;
  /** How long the parts may take to say yes, in milliseconds. Default 2,000: below a kubelet's usual patience. */
  readonly timeoutMs?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/**
 * `/livez` and `/healthz` say that the process answers; `/readyz` is 503 while `isReady` says no. Plain text and never kept, as
 * kubelets and load balancers want it.
 */
export function health(app: FastifyInstance, { isReady }: HealthOptions): void {
  const alive = async (_request: unknown, reply: FastifyReply) => text(reply, 200, 'OK\n');
  const ready = async (_request: unknown, reply: FastifyReply) =>
    (await isReadyNow(isReady)) ? text(reply, 200, 'OK\n') : text(reply, 503, 'not ready\n');
  for (const method of ['GET', 'HEAD'] as const) {
    app.route({ method, url: '/livez', handler: alive });
    app.route({ method, url: '/readyz', handler: ready });
  }
  // By any method, before a body is looked at.
  app.route({ method: app.supportedMethods, url: '/healthz', onRequest: alive, handler: alive });
}

/**
 * Ready as long as one part can serve: a store without upstreams answers what it holds, an upstream without a store is passed
 * through. However often it is asked, the parts are asked once in `rememberMs`, together, and not waited for past `timeoutMs`.
 */
export function readiness(probes: readonly Probe[], options: ReadinessOptions = {}): () => Promise<boolean> {
  const { rememberMs = 1000, timeoutMs = 2000, now = () => performance.now() } = options;
  let asked: Promise<boolean> | undefined;
  let askedAt = 0;

  return () => {
    if (asked === undefined || now() - askedAt >= rememberMs) {
      askedAt = now();
      asked = anySaysYes(probes, timeoutMs);
    }
    return asked;
  };
}

async function anySaysYes(probes: readonly Probe[], timeoutMs: number): Promise<boolean> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('no part has answered in time')), timeoutMs);
  try {
    return await Promise.race([late, Promise.any(probes.map(saysYes))]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

async function saysYes(probe: Probe): Promise<true> {
  if (await probe()) return true;
  throw new Error('this part cannot serve');
}

async function isReadyNow(isReady: HealthOptions['isReady']): Promise<boolean> {
  try {
    return await isReady();
  } catch {
    return false;
  }
}

function text(reply: FastifyReply, status: number, body: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'text/plain; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(body);
}
