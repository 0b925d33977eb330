import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Subject } from '../../auth/access.ts';
import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { createLru } from '../../base/state/lru.ts';
import { defined } from '../../base/text/defined.ts';
import { fieldsOf } from '../../base/text/json.ts';
import { RegistryError } from '../../oci/errors.ts';
import { acceptedFormat } from './formats.ts';
import { json } from './mirror-api.ts';
import { type Caller, type CallerOptions, createCallers } from './operator-access.ts';

/** Explains pulls, and knows callers who are no operators. */
export interface ExplainApi {
  /**
   * Resolves to the explanation in both forms. `subject`: the caller sees what that subject may
   * know. Throws `RegistryError` in words for the caller.
   */
  explain(
    query: { readonly input: string; readonly host?: string },
    viewer: { readonly viewer: 'operator' | 'subject'; readonly subject?: Subject },
  ): Promise<{ readonly json: object; readonly text: string }>;
  /** The user of a cluster who has the token. Default: tokens of clusters are not accepted. */
  readonly subjectOf?: (token: string, address: string) => MaybePromise<Subject | undefined>;
  /** The user, with the groups of Kubernetes; undefined unless the caller's cluster allows it. */
  impersonated(caller: Subject, wanted: ImpersonatedUser): Promise<Subject | undefined>;
}

interface ImpersonatedUser {
  readonly name: string;
  /** Those that were named, not those that Kubernetes adds. */
  readonly groups: readonly string[];
}

interface ExplainRouteOptions extends CallerOptions {
  readonly api: ExplainApi;
}

interface ExplainParameters extends Partial<ImpersonatedUser> {
  readonly input: string;
  readonly host?: string;
  readonly cluster?: string;
  readonly format: 'json' | 'text';
}

const keys: ReadonlySet<string> = new Set(['input', 'host', 'as', 'groups', 'cluster', 'format']);
const longest: Readonly<Record<string, number>> = {
  input: 1024,
  host: 260,
  as: 512,
  groups: 4096,
  cluster: 253,
};
const mostGroups = 20;
/** Explanations at a time, and of these the ones for users who are no operators: one each. */
const mostRunning = 4;
const mostOfSubjects = 2;
const mostInAMinute = 30;
const mostUsers = 1_000;

/**
 * `GET /explain?input=…`, also with `host`, `as`, `groups`, `cluster` and `format`. Operators see
 * all of it. A user of a cluster sees what it may pull; `as` takes the right to impersonate, which
 * the caller's own cluster is asked for. Loopback and the token file have no user to be asked for.
 */
export function explainRoute(app: FastifyInstance, options: ExplainRouteOptions): void {
  const { api, operated } = options;
  const callers = createCallers(options, api.subjectOf);
  const running = { all: 0, users: new Set<string>() };
  const turns = createTurns();

  app.get('/explain', async (request, reply) => {
    const caller = await callers.of(request, reply.raw);
    const query = queryOf(request);
    const user = caller.isOperator ? undefined : `${caller.subject?.cluster} ${caller.name}`;
    if (user !== undefined && !turns.mayAsk(user)) throw busy();
    if (running.all >= mostRunning) throw busy();
    if (user !== undefined && (running.users.size >= mostOfSubjects || running.users.has(user))) throw busy();
    running.all += 1;
    if (user !== undefined) running.users.add(user);
    try {
      return await answered(request, reply, { caller, query });
    } finally {
      running.all -= 1;
      if (user !== undefined) running.users.delete(user);
    }
  });

  async function answered(
    request: FastifyRequest,
    reply: FastifyReply,
    { caller, query }: { readonly caller: Caller; readonly query: ExplainParameters },
  ) {
    const subject = await subjectOf(query, caller.subject);
    if (subject !== undefined && subject !== caller.subject)
      operated({ operator: caller.name, verb: 'impersonate', path: '/quayside/explain', client: request.ip });
    const { input, host, format } = query;
    const viewer = { viewer: caller.isOperator ? 'operator' : 'subject', ...defined({ subject }) } as const;
    const found = await api.explain({ input, ...defined({ host }) }, viewer);
    void reply.header('cache-control', 'no-store');
    if (format === 'json') return json(reply, found.json);
    return reply.header('content-type', 'text/plain; charset=utf-8').send(found.text);
  }

  /** Who pulls: the caller, or a user whom it may impersonate. Throws `DENIED`. */
  async function subjectOf({ name, groups = [], cluster }: ExplainParameters, caller: Subject | undefined) {
    if (name === undefined) return caller;
    if (caller?.cluster === undefined)
      throw new RegistryError(
        'DENIED',
        'as needs the right to impersonate, which a cluster is asked for: show a token of a user of a cluster',
      );
    if (cluster !== undefined && cluster !== caller.cluster)
      throw new RegistryError(
        'DENIED',
        `the token is of a user of cluster ${caller.cluster}, who can impersonate users of that cluster alone`,
      );
    if (name === caller.name && groups.length === 0) return caller;
    const user = await api.impersonated(caller, { name, groups });
    if (user === undefined)
      throw new RegistryError(
        'DENIED',
        `cluster ${caller.cluster} grants no right to impersonate that user with these groups`,
      );
    return user;
  }
}

/** So many explanations a minute for each user of a cluster: each reads the store. */
function createTurns(now = () => performance.now()) {
  const left = createLru<string, { count: number; readonly since: number }>(mostUsers);
  return {
    mayAsk(user: string): boolean {
      const known = left.get(user);
      const turn = known === undefined || now() - known.since >= 60_000 ? { count: 0, since: now() } : known;
      turn.count += 1;
      left.set(user, turn);
      return turn.count <= mostInAMinute;
    },
  };
}

/** Throws `NAME_INVALID` for a query that is none. */
function queryOf(request: FastifyRequest): ExplainParameters {
  const given = fieldsOf(request.query);
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(given)) {
    if (!keys.has(key)) throw invalid(`unknown parameter ${JSON.stringify(key.slice(0, 50))}`);
    if (typeof value !== 'string' || value === '') throw invalid(`${key} must be given once, and not empty`);
    if (value.length > (longest[key] ?? longestFormat) || hasControl(value))
      throw invalid(`${key} is too long, or has control characters`);
    texts[key] = value;
  }
  const { input, host, as: name, groups, cluster, format = acceptedFormat(request.headers.accept) } = texts;
  if (input === undefined) throw invalid('input must be given: an image, a tag, a digest or a request id');
  if (groups !== undefined && name === undefined) throw invalid('groups needs as');
  if (format !== 'json' && format !== 'text') throw invalid('format must be json or text');
  const list = groups?.split(',').filter((group) => group !== '');
  if (list !== undefined && list.length > mostGroups)
    throw invalid(`groups has more than ${mostGroups} names`);
  return { input, format, ...defined({ host, name, cluster, groups: list }) };
}

const longestFormat = 10;

function hasControl(text: string): boolean {
  return [...text].some((character) => character < ' ' || character === '\u007f');
}

function invalid(message: string): RegistryError {
  return new RegistryError('NAME_INVALID', message);
}

function busy(): RegistryError {
  const message = `too many explanations run, or were asked for by you; try again later`;
  return new RegistryError('TOOMANYREQUESTS', message, { retryAfterSeconds: 1 });
}
