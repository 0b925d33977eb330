// Room `app`: makes every instance, connects the parts and closes them. In: the configuration, a
// log, the environment. Out: a running service. Imports: every room below.

import { createAttempts } from '../auth/attempts.ts';
import { createBcrypt } from '../auth/robots/bcrypt.ts';
import { isRootIn, labelRightsKey } from '../auth/rules/stream-paths.ts';
import { createKeptKeys } from '../auth/tokens/kept-keys.ts';
import { createKeptSubjects } from '../auth/tokens/kept-subjects.ts';
import { closeInTurn, closeTogether } from '../base/flow/close-all.ts';
import { defined } from '../base/text/defined.ts';
import { type CacheContext, createCacheContext } from '../cache/registry/context.ts';
import type { CachedRegistry } from '../cache/registry/registry.ts';
import type { FoundCondition } from '../conditions/condition.ts';
import type { Config, Environment } from '../config/load.ts';
import { askedOnce } from '../fleet/asked-once.ts';
import { createReadings } from '../image-streams/flat-tags.ts';
import { mirrorMetrics } from '../predecessors/outputs/mirror-metrics.ts';
import { parityLogged } from '../predecessors/outputs/parity-events.ts';
import { createHosts } from '../proxy/access/hosts.ts';
import { OwnCuts } from '../proxy/http/own-cuts.ts';
import { RecentFailures } from '../proxy/http/recent-failures.ts';
import { readiness } from '../proxy/operators/readiness.ts';
import { createBufferPool } from '../store/buffers.ts';
import { logged } from '../telemetry/event-log.ts';
import type { Log } from '../telemetry/log.ts';
import { createRequestTrace } from '../telemetry/request-trace.ts';
import type { WorkerPlace } from '../workers/place.ts';
import {
  configuredAccess,
  configuredClusters,
  configuredOperators,
  configuredRules,
  usersOfClusters,
} from './access.ts';
import { readKeyPair } from './certificate.ts';
import { bucketFault, configuredBucket } from './conditions/bucket.ts';
import { configuredConditions } from './conditions/conditions.ts';
import { createSigns } from './conditions/signs.ts';
import { describedMetrics } from './described-metrics.ts';
import { createDuties } from './duties.ts';
import { configuredExplain } from './explain/service.ts';
import { UpstreamStates } from './explain/states.ts';
import { followedMirrorRules, mirrored } from './mirror/loaded.ts';
import { cachedRegistries, configuredTagIndex, configuredUpstreams, createAbsences } from './registries.ts';
import { blobModesOf } from './reload.ts';
import { fleetNews, movesTold } from './replicas/fleet-news.ts';
import { configuredMembers } from './replicas/members.ts';
import { configuredSharing } from './replicas/review-sharing.ts';
import { amongWorkers } from './replicas/workers.ts';
import { adminServer, listening, mirrorServer, pullServer } from './server.ts';
import { servedStore } from './store.ts';
import { StoreCheck, storePlace } from './store-check.ts';
import { configuredStreams } from './streams.ts';
import { createUpkeep, subjectsKeptMs, swept } from './upkeep.ts';

interface ServiceOptions extends Pick<CacheContext, 'clock'> {
  /** This process among several on one machine. Default: it is alone. */
  readonly workers?: WorkerPlace | undefined;
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
  /** Takes over what `isReloadable` names; all else of the configuration stays as it was. */
  reload(config: Config): void;
  /** These changed settings of the file take effect only after a restart. */
  pending(settings: readonly string[]): void;
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
  const meters = describedMetrics(config, env, workers?.welcome.count);
  const signs = createSigns(clock?.now);
  const states = new UpstreamStates();
  const ours = states.noted(signs.noted(logged({ ...meters.events, ...mirrorMetrics(meters) }, log)));
  const trace = createRequestTrace(log);
  const events = trace.traced(config.log.qciAppci ? parityLogged(ours, log) : ours);
  const bucket = await configuredBucket(config, events);
  const storeFault = await bucketFault(bucket, log);
  const buffers = createBufferPool();
  const guesses = createAttempts({
    counted: (address, token) => fleet?.tell({ kind: 'failed-login', address, ...defined({ token }) }),
  });
  const storeCheck = new StoreCheck(config, events);
  const { store, files, kernel } = await servedStore(config, buffers, { store: storeCheck.events, disk: events });
  const tokenKeys = createKeptKeys({
    records: store.records,
    own: workers?.welcome.tokenSecret,
    failed: (error) => events.storeFailed({ operation: 'read', error }),
  });
  const sharing = configuredSharing(config, { records: store.records, tokenKeys, events });
  const clusters = await configuredClusters(config.clusters, events, {
    attempts: guesses,
    sharing: sharing.of,
  });
  const streams = await configuredStreams(config, { records: store.records, events });
  const mirrorRules = config.mirror && (await followedMirrorRules(config.mirror, log));
  const rules = configuredRules(config, mirrorRules?.readings ?? createReadings());
  const books = [...rules.values()];
  mirrorRules?.subscribe(() => {
    for (const book of books) book.reread();
  });
  const fleet = await configuredMembers(config, { log, events, workers, ...defined({ clock }) });
  const cache = createCacheContext({
    ...config,
    ...('filesystem' in config.store ? { verifies: config.store.filesystem.verifyReads } : {}),
    scopeOf: (place, tag) => labelRightsKey(books, streams.all, [place, tag]),
    ...(streams.all.length === 0 ? {} : { isRoot: (place, digest) => isRootIn(streams.all, place, digest) }),
    ...{ store, buffers, kernel },
    events: movesTold(events, fleet),
    ...defined({ isStoredOnce: fleet?.isStoredOnce, isStoredBy: fleet?.isStoredBy, clock }),
  });
  // Filled below: the mirror and the rights ask for a registry by name once they work.
  const registries = new Map<string, CachedRegistry>();
  const registry = (name: string): CachedRegistry | undefined => registries.get(name);
  const parts = { config, cache, registry, events, meters, log, env };
  const { mirror: settings } = config;
  const mirror = settings && mirrorRules && (await mirrored({ settings, rules: mirrorRules, ...parts }));
  const unfilled = configuredUpstreams(config, env, events, fleet?.share);
  const filled = unfilled.map((one) => mirror?.filled(one) ?? one);
  const asked = fleet === undefined ? [] : filled.map(askedOnce);
  const upstreams = fleet === undefined ? filled : asked.map((one) => fleet.joined(one));
  const absences = createAbsences(config);
  for (const made of cachedRegistries(config, cache, upstreams, { absences }))
    registries.set(made.name, made);
  const passwords = createBcrypt({ hasFailed: (address) => guesses.hasFailed(address, 'password') });
  const subjects = createKeptSubjects({ records: cache.medium.records });
  const access = configuredAccess(config, {
    rules,
    reach: configuredTagIndex(config, cache, registry, workers !== undefined),
    subjects,
    passwords,
    clusters,
    streams,
    events,
    tokenKeys,
  });
  const forgetting = fleetNews({ fleet, cache, access, attempts: guesses, events });
  const canServe = readiness(
    [() => cache.medium.isUsable(), ...upstreams.map((upstream) => () => upstream.isReachable())],
    {
      names: ['store', ...upstreams.map(({ name }) => name)],
      changed: (event) => events.readinessChanged?.(event),
    },
  );
  let isLeaving = false;
  const failures = new RecentFailures();
  const all = amongWorkers(workers, {
    ...{ meters, failures, log },
    isReady: async () => !isLeaving && streams.isReady() && (await canServe()),
  });
  let modes = blobModesOf(config);
  const cuts = new OwnCuts();
  const app = await pullServer(config, {
    log,
    trace,
    events,
    attempts: guesses,
    hostNames: createHosts(access.hosts),
    registries,
    store: cache.store,
    isReady: all.isReady,
    notes: streams.states,
    blobModes: () => modes,
    failures: all.failures,
    cuts,
  });
  const operators = configuredOperators(config.admin, clusters);
  const conditions = await configuredConditions(config, {
    ...{ store: cache.medium, place: storePlace(config.store), bucket, upstreams, canServe, readKeyPair },
    diskFiles: files,
    ...{ streams: streams.all, signs, meters, log, env },
    ...defined({ mirror, clock }),
  });
  const explain = configuredExplain(config, {
    ...{
      store: cache.medium,
      tags: cache.tags,
      upstreams: unfilled,
      hosts: access.hosts,
      clusters,
      states,
      failures,
      users: usersOfClusters(config, clusters),
    },
    ...defined({ mirror: mirror && mirrorRules && { rules: mirrorRules, task: mirror.task } }),
  });
  const admin = adminServer({
    meters: all.meters,
    isReady: all.isReady,
    notes: streams.states,
    status: conditions.status,
    explain,
    forget: () => forgetting.order(),
    listen: config.admin.listen,
    trustedProxies: config.trustedProxies,
    operated: (event) => log.info({ component: 'admin', ...event }, 'operator request'),
    ...defined({ operators, mirror }),
  });
  const upkeep = createUpkeep(config, { cache, registries, events });
  const duties = createDuties(config, {
    admin,
    mirrorPage: mirror && settings?.listen ? mirrorServer(mirror) : undefined,
    work: [
      upkeep.start,
      () => mirror?.start(),
      conditions.start,
      sharing.start,
      () => void swept([() => subjects.sweep(subjectsKeptMs(config))], log),
    ],
  });

  async function close(): Promise<void> {
    const giveUp = (): void => {
      cuts.all('shutdown');
      app.server.closeAllConnections();
      fleet?.abort();
      void cache.fills.abort();
      for (const upstream of upstreams) void upstream.close();
    };
    const late = setTimeout(giveUp, Math.max(0, config.shutdownGraceMs - lastWordsMs));
    await closeInTurn([
      () => closeTogether([() => app.close(), () => mirror?.close()]),
      () => cache.fills.settled(),
      () => fleet?.close(),
      () => closeTogether([...registries.values()].map((registry) => () => registry.settled())),
      () => clearTimeout(late),
      () => upkeep.close(),
      () => streams.close(),
      () => forgetting.close(),
      () => conditions.close(),
      () => closeTogether([() => access.close(), () => sharing.close()]),
      () => cache.close(),
      () => closeTogether(upstreams.map((upstream) => () => upstream.close())),
      () => passwords.close(),
      () => closeTogether([() => duties.close(), () => explain.close()]),
    ]);
  }

  try {
    const memberAddress = await fleet?.listen(asked, (ones, askers) =>
      cachedRegistries(config, cache, ones, { absences, askers }),
    );
    const address = await listening(app, config.listen);
    const addresses = await all.begin(duties);
    streams.start();
    forgetting.start();
    void swept([cache.sweep], log);
    return {
      address,
      memberAddress,
      ...addresses,
      storeFault,
      pending: conditions.pending,
      reload: (changed) => {
        streams.reload(changed);
        modes = blobModesOf(changed);
        log.level = changed.log.level;
      },
      forget: access.forget,
      storeFaults: () => storeCheck.faults(cache.medium),
      look: conditions.look,
      leave: () => {
        isLeaving = true;
        void fleet?.leave();
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
