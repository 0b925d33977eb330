import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { field, fieldsOf, isObject, isText, textOf } from '../../base/text/json.ts';

const states = ['waiting', 'running', 'parked'] as const;

type MirrorState = (typeof states)[number];

interface MirrorFilter {
  readonly state?: MirrorState;
  readonly destination?: string;
}

interface MirrorQueueApi {
  /** Tasks in the form in which they are shown. */
  tasks(filter: MirrorFilter): Iterable<object>;
  /** Queues a copy. Resolves to whether it is stored; throws an Error for the client. */
  order(pair: { readonly source: string; readonly destination: string }): Promise<boolean>;
  /** Tries failed copies again. Gives how many. */
  retry(filter: Pick<MirrorFilter, 'destination'>): number;
  /** Ends a task that is not running. */
  drop(
    destination: string,
    asker: { readonly client: string; readonly userAgent?: string },
  ): 'dropped' | 'running' | 'unknown';
}

export interface MirrorApiOptions {
  /** Whether there is a mirror now. Default: yes. */
  readonly isThere?: () => boolean;
  readonly desk: MirrorQueueApi;
  /** Told of the path of each request, but for that of probes. */
  readonly serving: (path: string) => void;
}

/** The routes of a scope are unknown ones while there is no mirror, to operators and others. */
export function whereMirrored(scope: FastifyInstance, { isThere }: Pick<MirrorApiOptions, 'isThere'>): void {
  if (isThere === undefined) return;
  scope.addHook('onRequest', (_request, reply, done) => {
    if (isThere()) done();
    else reply.callNotFound();
  });
}

const longestUserAgent = 200;

type Query = { readonly [Key: string]: unknown };

/**
 * The queue, in the form in which the program `ci-images-mirror` showed it:
 * `/api/v1/mirrors?action=summarize|show&limit=`. Besides, `state` (`waiting`, the default,
 * `running`, `parked` or `all`) and `destination` choose what is counted and shown.
 */
export function mirrorQueue(app: FastifyInstance, { desk, serving }: MirrorApiOptions): void {
  app.get<{ Querystring: Query }>('/api/v1/mirrors', async (request, reply) => {
    serving(pathOf(request));
    const action = request.query['action'] || 'summarize';
    const limit = request.query['limit'] || '1';
    const filter = filterOf(request.query);
    if (filter === undefined) return refused(reply, 400, `invalid state: ${request.query['state']}`);
    if (!/^[+-]?\d{1,15}$/.test(String(limit))) {
      return refused(reply, 500, `strconv.Atoi: parsing ${JSON.stringify(limit)}: invalid syntax`);
    }
    if (action !== 'summarize' && action !== 'show') return refused(reply, 500, `invalid action: ${action}`);
    const tasks = [...desk.tasks(filter)];
    const total = tasks.length;
    if (action === 'summarize') return json(reply, { total });
    const shown = tasks.slice(0, Math.max(0, Number(limit)));
    return json(reply, { mirrors: shown.length === 0 ? null : shown, total });
  });
}

/**
 * What an operator may order: `POST /api/v1/mirrors` with `source` and `destination` queues a copy,
 * `POST /api/v1/mirrors/retry`, with or without a `destination`, tries failed ones again, `DELETE
 * /api/v1/mirrors?destination=` drops one that does not run. A misspelt key is refused: without it
 * the order would be larger. For operators alone: a copy is written with our credentials.
 */
export function mirrorOrders(app: FastifyInstance, { desk, serving }: MirrorApiOptions): void {
  app.post('/api/v1/mirrors', async (request, reply) => {
    serving(pathOf(request));
    const fault = faultIn(request, ['source', 'destination']);
    if (fault !== undefined) return refused(reply, 400, fault);
    const { source, destination } = fieldsOf(request.body);
    if (!isText(source) || !isText(destination)) {
      return refused(reply, 400, 'both source and destination must be set');
    }
    try {
      const kept = await desk.order({ source, destination });
      return json(reply.code(202), { source, destination, kept });
    } catch (error) {
      return refused(reply, 400, error instanceof Error ? error.message : 'not an image');
    }
  });
  app.post('/api/v1/mirrors/retry', async (request, reply) => {
    serving(pathOf(request));
    const fault = faultIn(request, ['destination']);
    if (fault !== undefined) return refused(reply, 400, fault);
    const destination = textOf(field(request.body, 'destination'));
    return json(reply, { retried: desk.retry(destination === undefined ? {} : { destination }) });
  });
  app.delete<{ Querystring: Query }>('/api/v1/mirrors', async (request, reply) => {
    serving(pathOf(request));
    const destination = textOf(field(request.query, 'destination'));
    if (destination === undefined) return refused(reply, 400, 'destination must be set');
    const outcome = desk.drop(destination, askerOf(request));
    if (outcome === 'unknown') return refused(reply, 404, `no task for ${destination}`);
    if (outcome === 'running') return refused(reply, 409, `the task for ${destination} is running`);
    return json(reply, { dropped: 1 });
  });
}

/** The fault of an order of those texts, each of which may be absent; undefined for none. */
export function faultIn({ body, query }: FastifyRequest, keys: readonly string[]): string | undefined {
  const fields: unknown = body ?? {};
  if (!isObject(fields)) return 'the body must be an object of JSON';
  const given = Object.keys(fields);
  const unknown = [...given.filter((key) => !keys.includes(key)), ...Object.keys(Object(query))];
  if (unknown.length > 0) return `unknown key: ${unknown.join(', ')}`;
  const faulty = given.find((key) => textOf(fields[key]) === undefined);
  return faulty === undefined ? undefined : `${faulty} must be a text that is not empty`;
}

/** The client of an order, for the log. */
export function askerOf({ socket, headers }: FastifyRequest): { client: string; userAgent?: string } {
  const userAgent = headers['user-agent']?.slice(0, longestUserAgent);
  return { client: socket.remoteAddress ?? '', ...(userAgent === undefined ? {} : { userAgent }) };
}

/** Undefined for a state that there is not. */
function filterOf({ state, destination }: Query): MirrorFilter | undefined {
  const known = states.find((each) => each === (state || 'waiting'));
  if (known === undefined && state !== 'all') return undefined;
  return {
    ...(known === undefined ? {} : { state: known }),
    ...(typeof destination === 'string' && destination !== '' ? { destination } : {}),
  };
}

/** The path of a request, without its query. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}

/** As bytes: to a text the framework would add a charset. */
export function json(reply: FastifyReply, value: object): FastifyReply {
  return reply.header('content-type', 'application/json').send(Buffer.from(`${JSON.stringify(value)}\n`));
}

/** An answer in plain text. */
export function refused(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).header('content-type', 'text/plain; charset=utf-8').send(`${message}\n`);
}
