import type { Attempts } from '../../auth/attempts.ts';
import type { Operators } from '../../auth/clusters/operators.ts';
import type { Bcrypt } from '../../auth/robots/bcrypt.ts';
import type { KeptSubjects } from '../../auth/tokens/kept-subjects.ts';
import type { TokenKeys } from '../../auth/tokens/token-keys.ts';
import { closeInTurn } from '../../base/flow/close-all.ts';
import type { Current } from '../../base/state/watched-file.ts';
import { defined } from '../../base/text/defined.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Config, Environment } from '../../config/load.ts';
import type { AskedUpstream } from '../../fleet/asked-once.ts';
import type { Askers } from '../../fleet/elsewhere.ts';
import { createReadings } from '../../image-streams/flat-tags.ts';
import type { Host } from '../../proxy/access/hosts.ts';
import type { RecentFailures } from '../../proxy/http/recent-failures.ts';
import type { ExplainApi } from '../../proxy/operators/explain.ts';
import { readiness } from '../../proxy/operators/readiness.ts';
import type { Generation } from '../../proxy/pull/generation.ts';
import type { Log } from '../../telemetry/log.ts';
import type { MeteredEvents, Metrics } from '../../telemetry/metrics/metrics.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { WatchedParts } from '../conditions/conditions.ts';
import { configuredExplain } from '../explain/service.ts';
import type { UpstreamStates } from '../explain/states.ts';
import { createClusterClients } from '../mirror/cluster-clients.ts';
import type { Mirror } from '../mirror/service.ts';
import type { AllMembers } from '../replicas/members.ts';
import {
  configuredAccess,
  configuredOperators,
  configuredRules,
  type KnownClusters,
  type RuleBooks,
  usersOfClusters,
} from './access.ts';
import { GenerationParts, type MirrorPart } from './parts.ts';
import { configuredTagIndex } from './registries.ts';
import { configuredRequests } from './requests.ts';
import { type ClusterStreams, joinedStreams } from './streams.ts';
import {
  takenClusters,
  takenHelpers,
  takenMirror,
  takenRegistries,
  takenStreams,
  takenUpkeep,
} from './taken.ts';

/** What all generations of a process share. */
export interface SharedParts {
  readonly env: Environment;
  readonly log: Log;
  readonly events: MeteredEvents;
  readonly meters: Metrics;
  readonly cache: CacheContext;
  readonly fleet: AllMembers | undefined;
  readonly attempts: Attempts;
  /** Keys for the tokens of hosts that name no file of their own. */
  readonly tokenKeys: Current<TokenKeys>;
  readonly passwords: Bcrypt;
  readonly subjects: KeptSubjects;
  readonly states: UpstreamStates;
  readonly failures: RecentFailures;
  /** Whether other processes use the store of this machine. */
  readonly isAmongWorkers: boolean;
  /** A registry of the generation in force: for what works behind requests. */
  readonly registry: (name: string) => CachedRegistry | undefined;
  /** All registries of the generation in force. */
  readonly registries: () => Iterable<CachedRegistry>;
}

/** A configuration, and all that follows from it. */
export interface ServiceGeneration extends WatchedParts {
  readonly requests: Generation;
  /** What this process asks for other members. */
  readonly asked: readonly AskedUpstream[];
  /** Those upstreams as other members see them. */
  forMembers(upstreams: readonly Upstream[], askers: Askers): readonly CachedRegistry[];
  /** Each with what guards it. */
  readonly hosts: readonly Host[];
  readonly books: RuleBooks;
  readonly indexes: ClusterStreams;
  readonly mirror?: Mirror;
  readonly operators?: Operators;
  readonly explain: ExplainApi;
  /** What the next generation may take over. */
  readonly parts: GenerationParts;
  readonly canServe: () => Promise<boolean>;
  /** Drops what is remembered of people and their rights. */
  forget(): void;
  /** Ends what is of this generation alone. */
  close(): Promise<void>;
}

/**
 * Makes all that follows from the configuration; parts of the generation before are taken over
 * where their settings are the same. Rejects, and leaves nothing behind, when one cannot be made.
 */
export async function createGeneration(
  config: Config,
  shared: SharedParts,
  before?: ServiceGeneration,
): Promise<ServiceGeneration> {
  const parts = new GenerationParts(before?.parts);
  try {
    const generation = await made(config, shared, parts);
    parts.complete();
    return generation;
  } catch (error) {
    await closeInTurn([
      () => parts.stopWithout(before?.parts),
      () => parts.closeWithout(before?.parts),
    ]).catch(() => undefined);
    throw error;
  }
}

async function made(config: Config, shared: SharedParts, parts: GenerationParts): Promise<ServiceGeneration> {
  const { cache, events } = shared;
  const clusters = await takenClusters(config, shared, parts);
  const indexes = joinedStreams(await takenStreams(config, shared, parts));
  const helpers = await takenHelpers(config, shared, parts);
  const mirror = await takenMirror(config, shared, parts, helpers);
  const made = await takenRegistries(config, shared, parts, { mirror, helpers });
  await takenUpkeep(config, shared, parts);
  const registries = new Map(made.map(({ registry }) => [registry.name, registry]));
  const upstreams = made.map(({ registry }) => registry.upstream);
  const rights = configuredRights(config, shared, { clusters, indexes, registries, mirror: mirror?.value });
  const { access, books } = rights;
  const explain = configuredExplain(config, {
    ...{ store: cache.medium, tags: cache.tags, states: shared.states, failures: shared.failures },
    upstreams: parts.upstreams.values.map(({ upstream }) => upstream),
    hosts: access.hosts,
    clusters,
    users: usersOfClusters(config, clusters),
    ...defined({
      clock: cache.clock,
      mirror: mirror && { rules: mirror.value.rules, task: mirror.value.mirror.task },
    }),
  });
  const clients = createClusterClients(config.clusters);
  return {
    config,
    requests: configuredRequests(config, { hosts: access.hosts, registries, events }),
    asked: made.flatMap(({ asked }) => asked ?? []),
    forMembers: (asked, askers) =>
      asked.flatMap((upstream) => {
        const known = made.find(({ registry }) => registry.name === upstream.name);
        return known === undefined ? [] : [known.forMembers(upstream, askers)];
      }),
    hosts: access.hosts,
    books,
    indexes,
    streams: indexes.all,
    upstreams,
    clients,
    explain,
    parts,
    canServe: readiness(
      [() => cache.medium.isUsable(), ...upstreams.map((upstream) => () => upstream.isReachable())],
      {
        names: ['store', ...upstreams.map(({ name }) => name)],
        changed: (event) => events.readinessChanged?.(event),
      },
    ),
    forget: access.forget,
    async close() {
      rights.close();
      await explain.close();
      await clients.close();
    },
    ...defined({ operators: configuredOperators(config.admin, clusters), mirror: mirror?.value.mirror }),
  };
}

interface RightsParts {
  readonly clusters: KnownClusters;
  readonly indexes: ClusterStreams;
  readonly registries: ReadonlyMap<string, CachedRegistry>;
  readonly mirror: MirrorPart | undefined;
}

/** Who may come in under which host, and pull what. */
function configuredRights(
  config: Config,
  { cache, events, tokenKeys, passwords, subjects, isAmongWorkers }: SharedParts,
  { clusters, indexes, registries, mirror }: RightsParts,
) {
  const books = configuredRules(config, mirror?.rules.readings ?? createReadings());
  const unsubscribe = mirror?.rules.subscribe(() => {
    for (const book of books.values()) book.reread();
  });
  const access = configuredAccess(config, {
    ...{ rules: books, clusters, subjects, passwords, events, tokenKeys, streams: indexes },
    reach: configuredTagIndex(config, cache, (name) => registries.get(name), isAmongWorkers),
  });
  return { access, books, close: () => unsubscribe?.() };
}
