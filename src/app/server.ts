import { Server as TlsServer } from 'node:tls';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  fastify,
  LogController,
} from 'fastify';
import { type Attempts, createAttempts } from '../auth/attempts.ts';
import type { Operators } from '../auth/clusters/operators.ts';
import type { MaybePromise } from '../base/flow/maybe-promise.ts';
import type { Entered } from '../base/state/succession.ts';
import { defined } from '../base/text/defined.ts';
import type { Config } from '../config/load.ts';
import { mirrorHealth } from '../predecessors/outputs/mirror-health.ts';
import { parityWriter } from '../predecessors/outputs/parity-events.ts';
import { parityLog } from '../predecessors/outputs/parity-log.ts';
import { notFoundRoute } from '../proxy/access/not-found-route.ts';
import { tokenRoute } from '../proxy/access/token-route.ts';
import { createClientAddress } from '../proxy/clients/client-address.ts';
import { cutIdleClients } from '../proxy/clients/idle-clients.ts';
import { createLimit } from '../proxy/clients/limits.ts';
import { createLocalRequests } from '../proxy/clients/local-request.ts';
import { type ConsoleOptions, consoleRoutes } from '../proxy/console/console.ts';
import { failure, failureHooks } from '../proxy/http/failure-hooks.ts';
import { nosniff } from '../proxy/http/nosniff.ts';
import { OwnCuts } from '../proxy/http/own-cuts.ts';
import type { RecentFailures } from '../proxy/http/recent-failures.ts';
import { createRequestIds, requestLog } from '../proxy/http/request-log.ts';
import { createOrderedServer } from '../proxy/http/request-order.ts';
import { requestTargets } from '../proxy/http/target.ts';
import { addressOf, backlog, boundAddress } from '../proxy/members/listening.ts';
import { type ExplainApi, explainRoute } from '../proxy/operators/explain.ts';
import { health } from '../proxy/operators/health.ts';
import { type OperatorEvent, operatorDoor } from '../proxy/operators/operator-access.ts';
import { type StatusOptions, statusRoute } from '../proxy/operators/statusz.ts';
import {
  createBlobAnswers,
  createRedirect,
  type RedirectPolicy,
  type RedirectTo,
} from '../proxy/pull/blob-modes.ts';
import type { Generation } from '../proxy/pull/generation.ts';
import { pullApi } from '../proxy/pull/pull-api.ts';
import { schemaless } from '../proxy/schemaless.ts';
import type { CachedBlobs } from '../store/store.ts';
import { type Log, plainLines } from '../telemetry/log.ts';
import { openMetricsType, prefersOpenMetrics, type ShownMetrics } from '../telemetry/metrics/exemplars.ts';
import type { Metrics } from '../telemetry/metrics/metrics.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';
import { type KeyPair, type RenewalOptions, readKeyPair, renewedCertificate } from './certificate.ts';
import { mirrorRoutes, type ShownMirror } from './mirror-routes.ts';

interface PullServerParts {
  readonly log: Log;
  /** Default: no request is traced. */
  readonly trace?: Pick<RequestTrace, 'isOn' | 'enter'>;
  readonly events: Metrics['events'];
  /** Ends with the server. */
  readonly attempts: Attempts;
  readonly enter: () => Entered<Generation>;
  readonly store: CachedBlobs;
  readonly isReady: () => Promise<boolean>;
  /** Lines below the answer of `/readyz`. Default: none. */
  readonly notes?: () => readonly string[];
  /** Where failed requests are remembered. Default: nowhere. */
  readonly failures?: Pick<RecentFailures, 'add'>;
  /** The connections that we end within an answer. Default: of this server alone. */
  readonly cuts?: OwnCuts;
}

/** More than enough for a list of 1,024 ranges, which is about 20 KB. */
const maxHeaderBytes = 64 * 1024;
/** Balancers keep idle connections for 60 s and must be the first to close them. */
const serverLimits = { maxHeaderBytes, keepAliveMs: 72_000, requestMs: 60_000 };

/** The settings of which a server is made that listens on. */
type ServerSettings = Pick<Config, 'limits' | 'trustedProxies'>;

/** The server that clients pull from. */
interface PullServer {
  readonly app: FastifyInstance;
  /** Takes over limits and trusted proxies, for requests to come. */
  reload(settings: ServerSettings): void;
}

/** The server that clients pull from, not yet listening. */
export async function pullServer(config: Config, parts: PullServerParts): Promise<PullServer> {
  const { events, enter, trace, failures, cuts = new OwnCuts() } = parts;
  const log: FastifyBaseLogger = parts.log.child({ component: 'proxy' });
  const ids = createRequestIds();
  const app = createServer(
    {
      loggerInstance: log,
      logController: new LogController({ disableRequestLogging: true }),
      genReqId: ids.of,
      // A logger for each request costs more than the line that few of them write, which names the
      // request itself.
      childLoggerFactory: (parent) => parent,
      forceCloseConnections: 'idle',
      routerOptions: { maxParamLength: maxHeaderBytes },
    },
    config.tls && (await readKeyPair(config.tls)),
  );
  if (config.tls !== undefined) renewCertificate(app, { ...config.tls, log });
  const idleClients = cutIdleClients(app.server, {
    idleClientMs: config.limits.idleClientMs,
    cut: (socket) => {
      cuts.one(socket, 'idle-client');
      events.idleClientCut();
    },
  });
  if (trace !== undefined)
    app.addHook('onRequest', ({ id }, _reply, done) => (trace.isOn ? trace.enter(id, done) : done()));
  let clientAddress = createClientAddress(config.trustedProxies);
  requestLog(app, {
    log: plainLines(parts.log, 'proxy'),
    clientAddress: (request) => clientAddress(request),
    cuts,
    ...(failures && { failures: { fresh: ids.fresh, add: (request) => failures.add(request) } }),
    events: {
      answered: closingWhenIdle(app, events.answered),
      ...defined({ requestOpened: events.requestOpened }),
    },
  });
  requestTargets(app);
  if (config.log.qciAppci) parityLog(app, { write: parityWriter(parts.log) });
  health(app, parts);
  const limits = {
    read: createLimit({ limit: 'read', ...config.limits.read, events }),
    blobs: createLimit({ limit: 'blobs', ...config.limits.blobs, events }),
    write: createLimit({ limit: 'write', ...config.limits.write, events }),
    logins: createLimit({ limit: 'logins', ...config.limits.logins, events }),
  };
  const doors = { enter, attempts: endingWith(app, parts.attempts), events };
  tokenRoute(app, { ...doors, limit: limits.logins });
  notFoundRoute(app, doors);
  pullApi(app, {
    ...doors,
    limits,
    blobs: createBlobAnswers({
      redirect: redirectsBy('s3' in config.store ? config.store.s3.redirect : 'never', parts),
      redirectAlways: redirectsBy('always', parts),
    }),
  });
  return {
    app,
    reload({ limits: changed, trustedProxies }) {
      for (const name of ['read', 'blobs', 'write', 'logins'] as const) limits[name].resize(changed[name]);
      idleClients.change(changed.idleClientMs);
      clientAddress = createClientAddress(trustedProxies);
    },
  };
}

/** What our servers share: the order of answers, limits, and the form of failures. */
function createServer(options: FastifyServerOptions = {}, tls?: KeyPair): FastifyInstance {
  const app: FastifyInstance = fastify({
    ...failureHooks,
    ...schemaless,
    serverFactory: (handle) => createOrderedServer(handle, { ...serverLimits, ...(tls && { tls }) }),
    exposeHeadRoutes: false,
    ...options,
  });
  nosniff(app);
  failure(app);
  return app;
}

/** Answers to failed logins that are held back go out when we are told to stop. */
function endingWith(app: FastifyInstance, slowed: Attempts): Attempts {
  app.addHook('preClose', (done) => {
    slowed.close();
    done();
  });
  return slowed;
}

function renewCertificate(app: FastifyInstance, options: RenewalOptions): void {
  if (!(app.server instanceof TlsServer)) return;
  const renewal = renewedCertificate(app.server, options);
  app.addHook('onClose', async () => renewal.close());
}

function redirectsBy(policy: RedirectPolicy, { store, events }: PullServerParts): RedirectTo | undefined {
  return createRedirect(policy, store, (error) => events.storeFailed({ operation: 'read', error }));
}

/**
 * At shutdown, closes a connection with its current answer. The framework only closes those that
 * are idle then: a client that keeps its connection after a download would delay us for the whole
 * grace time. For the end of each answer.
 */
function closingWhenIdle<Event>(
  app: FastifyInstance,
  answered: (event: Event) => void,
): (event: Event) => void {
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    done();
  });
  return (event) => {
    answered(event);
    if (isClosing) app.server.closeIdleConnections();
  };
}

interface AdminServerParts {
  /** All conditions now. Default: they are not shown. */
  readonly status?: StatusOptions['status'];
  readonly meters: ShownMetrics;
  readonly isReady: () => Promise<boolean>;
  /** Lines below the answer of `/readyz`. Default: none. */
  readonly notes?: () => readonly string[];
  /** Drops what is remembered of people and their rights. */
  readonly forget: () => MaybePromise<void>;
  /** Default: there is none. */
  readonly mirror?: ShownMirror;
  /** Where it is going to listen: `host:port`, or nowhere. */
  readonly listen: string | false;
  /** Networks (CIDR) of proxies, whose requests come from elsewhere, at each request. */
  readonly trustedProxies: () => readonly string[];
  /** Explains pulls. Default: it does not. */
  readonly explain?: ExplainApi;
  /** Who may come in from elsewhere. Default: none. */
  readonly operators?: Operators;
  readonly operated: (event: OperatorEvent) => void;
  /** What the web page shows. Default: there is none. */
  readonly console?: Pick<ConsoleOptions, 'feed' | 'data' | 'clock'> &
    Required<Pick<ConsoleOptions, 'logins'>>;
}

/**
 * Metrics and health for all who reach it, and what operators may see and change in a running
 * server; a server of their own, not yet listening.
 */
export function adminServer(parts: AdminServerParts): FastifyInstance {
  const { meters, mirror, listen, status, explain, console } = parts;
  const app = createServer();
  health(app, parts);
  app.get('/metrics', async ({ headers }, reply) =>
    meters.openMetrics !== undefined && prefersOpenMetrics(headers.accept)
      ? reply.type(openMetricsType).send(await meters.openMetrics())
      : reply.type(meters.contentType).send(await meters.text()),
  );
  const door = {
    ...parts,
    attempts: endingWith(app, createAttempts()),
    isLocal: createLocalRequests({
      names: listen === false ? [] : [new URL(`http://${listen}`).hostname],
      proxies: parts.trustedProxies,
    }),
    ...(console && { logins: console.logins }),
  };
  if (explain !== undefined) explainRoute(app, { ...door, api: explain });
  if (console !== undefined)
    consoleRoutes(app, { ...door, ...console, ...defined({ subjectOf: explain?.subjectOf }) });
  void app.register((scope, _options, done) => {
    operatorDoor(scope, door);
    scope.post('/access/forget', async (_request, reply) => {
      await parts.forget();
      return reply.code(204).send();
    });
    if (status !== undefined) statusRoute(scope, { status });
    done();
  });
  if (mirror !== undefined) mirrorRoutes(app, mirror, { health: mirrorHealth, door });
  return app;
}

/** The mirror's queue to look at only, where its predecessor showed it; not yet listening. */
export function mirrorServer(mirror: ShownMirror): FastifyInstance {
  const app = createServer();
  mirrorRoutes(app, mirror, { health: mirrorHealth });
  return app;
}

/** Listens on `host:port`; resolves to where it really listens, and rejects when it cannot. */
export async function listening(app: FastifyInstance, listen: string): Promise<string> {
  await app.listen({ ...addressOf(listen), backlog });
  return boundAddress(app.server, listen);
}
