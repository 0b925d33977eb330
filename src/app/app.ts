// Room `app`: makes every instance, connects the parts and closes them. In: the configuration, a
// log, the environment. Out: a running service. Imports: every room below.

import manifest from '../../package.json' with { type: 'json' };
import { createAttempts } from '../auth/attempts.ts';
import { createBcrypt } from '../auth/robots/bcrypt.ts';
import { isRootIn, labelRightsKey } from '../auth/rules/stream-paths.ts';
import { createKeptKeys } from '../auth/tokens/kept-keys.ts';
import { createKeptSubjects } from '../auth/tokens/kept-subjects.ts';
import { closeInTurn, closeTogether } from '../base/flow/close-all.ts';
import { defined } from '../base/text/defined.ts';
import { type CacheContext, createCacheContext } from '../cache/registry/context.ts';
import type { FoundCondition } from '../conditions/condition.ts';
import type { Config, Environment } from '../config/load.ts';
import { mirrorMetrics } from '../predecessors/outputs/mirror-metrics.ts';
import { parityLogged } from '../predecessors/outputs/parity-events.ts';
import type { NodePlaces } from '../proxy/console/data.ts';
import { OwnCuts } from '../proxy/http/own-cuts.ts';
import { RecentFailures } from '../proxy/http/recent-failures.ts';
import { answersForwarded } from '../proxy/operators/leader.ts';
import { createBufferPool } from '../store/buffers.ts';
import { toldStore } from '../store/told-blobs.ts';
import { logged } from '../telemetry/event-log.ts';
import type { Log } from '../telemetry/log.ts';
import { createRequestTrace } from '../telemetry/request-trace.ts';
import { configuredTracing } from '../telemetry/tracing/tracing.ts';
import type { WorkerPlace } from '../workers/place.ts';
import { readKeyPair } from './certificate.ts';
import { bucketFault, configuredBucket } from './conditions/bucket.ts';
import { configuredConditions } from './conditions/conditions.ts';
import { createSigns } from './conditions/signs.ts';
import { createConsole } from './console/console.ts';
import { describedMetrics } from './described-metrics.ts';
import { createDuties } from './duties.ts';
import { UpstreamStates } from './explain/states.ts';
import { createGeneration, type SharedParts } from './generations/generation.ts';
import { Generations } from './generations/generations.ts';
import { operatorParts } from './generations/operator-parts.ts';
import { subjectsKeptMs, swept } from './generations/upkeep.ts';
import { changesRights, type PreparedReload } from './reload.ts';
import { cacheTold, copiesTold, fleetNews } from './replicas/fleet-news.ts';
import { configuredMembers } from './replicas/members.ts';
import { amongWorkers } from './replicas/workers.ts';
import { adminServer, listening, mirrorServer, pullServer } from './server.ts';
import { servedStore } from './store.ts';
import { StoreCheck, storePlace } from './store-check.ts';

interface ServiceOptions extends Pick<CacheContext, 'clock'> {
  /** This process among several on one machine. Default: it is alone. */
  readonly workers?: WorkerPlace | undefined;
  /** For the console: reads the configuration of nodes. Default: no node is known. */
  readonly nodePlaces?: NodePlaces;
  readonly log: Log;
  /** The environment, for the proxies towards the upstreams. */
  readonly env: Environment;
}

/** A running service. */
export interface Service {
  /** `host:port` of the pull API. */
  readonly address: string;
  /** `host:port` where other members of the fleet ask, if there is a fleet. */
  readonly memberAddress?: string | undefined;
  /** `host:port` of metrics and health, unless they are off. */
  readonly adminAddress?: string | undefined;
  /** `host:port` where the mirror's queue is shown, if it has an address of its own. */
  readonly mirrorAddress?: string | undefined;
  /** What is wrong with the bucket of the store, if that was known at the start. */
  readonly storeFault?: string | undefined;
  /**
   * Makes all parts of a configuration that differs in what `isReloadable` names, which is in force
   * once it is taken. Rejects, and changes nothing, when a part of it cannot be made.
   */
  prepare(config: Config): Promise<PreparedReload>;
  /** These changed settings of the file take effect only after a restart; or why it was refused. */
  pending(settings: readonly string[], refused?: string): void;
  /** Drops what is remembered of people and their rights: the next of each is asked again. */
  forget(): void;
  /** What of store and spool cannot be used now, each with its cause and what to do. */
  storeFaults(): Promise<readonly string[]>;
  /** What each part is like at the moment, as conditions that may not count yet. */
  look(): Promise<readonly FoundCondition[]>;
  /** Says no to readiness probes from now on; every request is answered as before. */
  leave(): void;
  /** Stops accepting, finishes requests within the grace time, writes records, closes all. */
  close(): Promise<void>;
}

/** What is left of the grace time when requests and downloads that still run are given up. */
const lastWordsMs = 2_000;

/** Makes the parts, joins them, and listens. Rejects when an address cannot be listened on. */
export async function createService(config: Config, options: ServiceOptions): Promise<Service> {
  const { log, env, clock, workers } = options;
  const tracing = await configuredTracing({
    env,
    log,
    version: manifest.version,
    worker: workers?.welcome.number,
    trustedParents: config.tracing.trustedParents,
    upstreams: config.tracing.upstreams,
  });
  const meters = describedMetrics(config, env, workers?.welcome.count, tracing?.exemplar);
  const signs = createSigns(clock?.now);
  const states = new UpstreamStates();
  const counted = states.noted(signs.noted(logged({ ...meters.events, ...mirrorMetrics(meters) }, log)));
  const ours = tracing?.spanned(counted) ?? counted;
  const trace = createRequestTrace(log);
  const events = trace.traced(config.log.qciAppci ? parityLogged(ours, log) : ours);
  const bucket = await configuredBucket(config, events);
  const storeFault = await bucketFault(bucket, log);
  const buffers = createBufferPool();
  const guesses = createAttempts({
    counted: (address, token) => fleet?.tell({ kind: 'failed-login', address, ...defined({ token }) }),
  });
  const storeCheck = new StoreCheck(config, events);
  const {
    store: medium,
    files,
    kernel,
  } = await servedStore(config, buffers, {
    store: storeCheck.events,
    disk: copiesTold(events, () => fleet),
  });
  const store = toldStore(medium, events);
  const tokenKeys = createKeptKeys({
    records: store.records,
    own: workers?.welcome.tokenSecret,
    failed: (error) => events.storeFailed({ operation: 'read', error }),
  });
  const fleet = await configuredMembers(config, { log, events, workers, ...defined({ clock }) });
  // Undefined until the first is made, which asks for nothing yet.
  let inForce: Generations | undefined;
  const streamsInForce = () => inForce?.current.streams ?? [];
  const cache = createCacheContext({
    ...config,
    ...('filesystem' in config.store ? { verifies: config.store.filesystem.verifyReads } : {}),
    scopeOf: (place, tag) =>
      labelRightsKey([...(inForce?.current.books.values() ?? [])], streamsInForce(), [place, tag]),
    isRoot: (place, digest) => isRootIn(streamsInForce(), place, digest),
    ...{ store, buffers, kernel },
    events: cacheTold(events, fleet, 's3' in config.store),
    ...defined({ isStoredOnce: fleet?.isStoredOnce, isStoredBy: fleet?.isStoredBy, clock }),
  });
  const passwords = createBcrypt({ hasFailed: (address) => guesses.hasFailed(address, 'password') });
  const subjects = createKeptSubjects({ records: cache.medium.records });
  const failures = new RecentFailures();
  const shared: SharedParts = {
    ...{ env, log, events, meters, cache, fleet, attempts: guesses, tokenKeys, passwords, subjects },
    ...{ states, failures, isAmongWorkers: workers !== undefined },
    registry: (name) => inForce?.current.requests.registries.get(name),
    registries: () => inForce?.current.requests.registries.values() ?? [],
  };
  const first = await createGeneration(config, shared);
  const generations = new Generations(first, shared);
  inForce = generations;
  const forgetting = fleetNews({
    fleet,
    cache,
    upstreams: () => generations.current.parts.upstreams.values.map(({ upstream }) => upstream),
    access: { forget: () => generations.current.forget() },
    attempts: guesses,
    files,
    events,
    mirror: () => generations.current.mirror,
  });
  let isLeaving = false;
  const all = amongWorkers(workers, {
    ...{ meters, failures, log },
    isReady: async () =>
      !isLeaving && generations.current.indexes.isReady() && (await generations.current.canServe()),
  });
  const notes = () => generations.current.indexes.states();
  const cuts = new OwnCuts();
  const pull = await pullServer(config, {
    ...{ log, trace, events, attempts: guesses, store: cache.store, notes, cuts },
    ...{ isReady: all.isReady, failures: all.failures },
    enter: () => generations.enter(),
  });
  const { app } = pull;
  const conditions = await configuredConditions(config, {
    ...{ store: cache.medium, place: storePlace(config.store), bucket, readKeyPair },
    canServe: () => generations.current.canServe(),
    watched: first,
    diskFiles: files,
    ...{ signs, meters, log, env },
    ...defined({ clock }),
  });
  const operated = operatorParts(first, () => generations.current, fleet);
  if (operated.mirror?.leader)
    fleet?.answerForwarded(answersForwarded(operated.mirror, operated.mirror.leader.isHere));
  const page = createConsole({
    ...{ env, cache, states, fleet, tokenKeys, meters: all.meters, status: conditions.status },
    ...{ failures, current: () => generations.current },
    ...defined({ clock, nodePlaces: options.nodePlaces }),
  });
  const admin = adminServer({
    ...operated,
    ...{ meters: all.meters, isReady: all.isReady, notes, status: conditions.status, console: page },
    forget: () => forgetting.order(),
    listen: config.admin.listen,
    operated: (event) => log.info({ component: 'admin', ...event }, 'operator request'),
  });
  const duties = createDuties(config, {
    admin,
    mirrorPage: config.mirror?.listen ? mirrorServer(operated.mirror) : undefined,
    work: [
      () => generations.startWork(),
      conditions.start,
      page.start,
      () => void swept([() => subjects.sweep(subjectsKeptMs(config))], log),
    ],
  });

  async function close(): Promise<void> {
    const giveUp = (): void => {
      cuts.all('shutdown');
      app.server.closeAllConnections();
      fleet?.abort();
      void cache.fills.abort();
      generations.giveUp();
    };
    const late = setTimeout(giveUp, Math.max(0, config.shutdownGraceMs - lastWordsMs));
    await closeInTurn([
      () => closeTogether([() => app.close(), () => generations.stop()]),
      () => cache.fills.settled(),
      () => fleet?.close(),
      () => generations.settled(),
      () => clearTimeout(late),
      () => forgetting.close(),
      () => page.close(),
      () => conditions.close(),
      () => generations.close(),
      () => cache.close(),
      () => generations.closeUpstreams(),
      () => passwords.close(),
      () => duties.close(),
      () => tracing?.close(),
    ]);
  }

  async function prepare(changed: Config): Promise<PreparedReload> {
    const { generation: next, ...prepared } = await generations.prepare(changed);
    return {
      take() {
        const before = generations.current.config;
        prepared.take();
        pull.reload(changed);
        conditions.watch(next);
        log.level = changed.log.level;
        if (!changesRights(before, changed)) return;
        cache.membership.rightsChanged();
        next.forget();
      },
      discard: prepared.discard,
    };
  }

  try {
    const memberAddress = await fleet?.listen();
    const address = await listening(app, config.listen);
    const addresses = await all.begin(duties);
    generations.start();
    forgetting.start();
    void swept([cache.sweep], log);
    return {
      address,
      memberAddress,
      ...addresses,
      storeFault,
      pending: conditions.pending,
      prepare,
      forget: () => generations.current.forget(),
      storeFaults: () => storeCheck.faults(cache.medium),
      look: conditions.look,
      leave: () => {
        isLeaving = true;
        generations.leave();
        void fleet?.leave();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
