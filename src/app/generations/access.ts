import type { Authenticator, ContentProofs, ContentTags, SearchEvents } from '../../auth/access.ts';
import type { Attempts } from '../../auth/attempts.ts';
import { createKubernetesCluster } from '../../auth/clusters/api-server/cluster-reviews.ts';
import { locallyChecked } from '../../auth/clusters/api-server/local-check.ts';
import type { ClusterEvents, RememberedCluster } from '../../auth/clusters/cluster.ts';
import { type Clusters, createClusters } from '../../auth/clusters/clusters.ts';
import { fairlyReviewed } from '../../auth/clusters/fair-reviews.ts';
import { createOperators, type Operators } from '../../auth/clusters/operators.ts';
import { remembered } from '../../auth/clusters/remembered.ts';
import { type ReviewSharing, SharedReviews } from '../../auth/clusters/shared-reviews.ts';
import { createClusterGuard } from '../../auth/guards/cluster-guard.ts';
import { createRobotsGuard } from '../../auth/guards/robots-guard.ts';
import { LoginPlaces } from '../../auth/login-places.ts';
import type { Bcrypt } from '../../auth/robots/bcrypt.ts';
import { rulePresets } from '../../auth/rules/rule-presets.ts';
import { createAuthorizer } from '../../auth/rules/ruled-access.ts';
import { createRuleBook, type Rule, type RuleBook } from '../../auth/rules/rules.ts';
import type { KeptSubjects } from '../../auth/tokens/kept-subjects.ts';
import type { TokenKeys } from '../../auth/tokens/token-keys.ts';
import type { Current } from '../../base/state/watched-file.ts';
import { defined } from '../../base/text/defined.ts';
import type { ClusterConfig, Config, HostConfig } from '../../config/config.ts';
import { ConfigError } from '../../config/faults.ts';
import type { Readings } from '../../image-streams/flat-tags.ts';
import type { Host } from '../../proxy/access/hosts.ts';
import type { ClusterStreams } from './streams.ts';

/** The rules of each host that asks a cluster, by the host's name. */
export type RuleBooks = ReadonlyMap<string, RuleBook>;

export type KnownClusters = ReadonlyMap<string, RememberedCluster>;

/** Compiles the rules that hosts name; `readings` says what flat tags stand for. */
export function configuredRules({ hosts, rules }: Config, readings: Readings): RuleBooks {
  return new Map(
    Object.entries(hosts).flatMap(([name, { auth, access = '' }]) =>
      auth === 'cluster' ? [[name, createRuleBook(rulesNamed(access, rules), { readings })]] : [],
    ),
  );
}

export interface AccessParts {
  readonly rules: RuleBooks;
  readonly reach: ContentTags & ContentProofs;
  readonly subjects: KeptSubjects;
  readonly passwords: Bcrypt;
  readonly clusters: KnownClusters;
  /** Keys for the tokens of hosts that name no file of their own. */
  readonly tokenKeys: Current<TokenKeys>;
  readonly events: SearchEvents;
  readonly streams: Pick<ClusterStreams, 'of'>;
}

interface ConfiguredAccess {
  readonly hosts: readonly Host[];
  forget(): void;
}

/** Puts a guard before each host that wants one. */
export function configuredAccess(config: Config, parts: AccessParts): ConfiguredAccess {
  const known = parts.clusters;
  const courts: Clusters[] = [];

  function courtOf(host: HostConfig): Clusters {
    const court = createClusters(
      courtNames(host, config).flatMap((name) => known.get(name) ?? []),
      { issuers: issuersOf(config.clusters) },
    );
    courts.push(court);
    return court;
  }

  function guarded(name: string, host: HostConfig): Pick<Host, 'guard' | 'challenge'> {
    const { auth, robots, tokenKeyFiles, tokenSecretFile, tokenValiditySeconds } = host;
    const own = {
      host: name,
      tokenValiditySeconds,
      defaultKeys: parts.tokenKeys,
      ...defined({ tokenKeyFiles, tokenSecretFile }),
    };
    const { passwords: bcrypt, subjects, reach, events } = parts;
    if (auth === 'robots' && robots !== undefined)
      return { guard: createRobotsGuard({ ...own, files: robots, bcrypt }) };
    if (auth !== 'cluster') return {};
    const court = courtOf(host);
    const anonymousCluster = host.anonymous ? courtNames(host, config)[0] : undefined;
    const guard = createClusterGuard({
      ...own,
      authenticator: court,
      authorizer: createAuthorizer({
        rules: bookOf(name, parts),
        judge: court,
        clusters: courtNames(host, config),
        reach,
        proofs: reach,
        streams: parts.streams.of,
        listings: host.listings,
        events,
      }),
      subjects,
      ...(robots === undefined ? {} : { robots: { files: robots, bcrypt } }),
      ...defined({ anonymousCluster }),
    });
    return { guard, challenge: 'plain' };
  }

  const hosts = Object.entries(config.hosts).map(([name, host]): Host => {
    const { upstream } = host;
    return { name, ...defined({ upstream }), ...guarded(name, host) };
  });
  return {
    hosts,
    // Operators log in to clusters too, of which no host may know.
    forget() {
      for (const each of [...courts, ...known.values()]) each.forget();
    },
  };
}

/** Who may operate the server from elsewhere; undefined for none. */
export function configuredOperators(
  { tokenFile, cluster: name }: Config['admin'],
  known: KnownClusters,
): Operators | undefined {
  const cluster = name === undefined ? undefined : known.get(name);
  if (tokenFile === undefined && cluster === undefined) return undefined;
  return createOperators(defined({ tokenFile, cluster }));
}

/** Knows the users of every configured cluster. */
export function usersOfClusters({ clusters }: Config, known: KnownClusters): Authenticator {
  return createClusters([...known.values()], { issuers: issuersOf(clusters) });
}

/** The clusters that a host asks, in order. */
function courtNames({ clusters: names }: HostConfig, config: Config): readonly string[] {
  return names ?? Object.keys(config.clusters);
}

function bookOf(host: string, { rules }: AccessParts): RuleBook {
  const book = rules.get(host);
  if (book === undefined) throw new Error(`no rules were made for the host ${host}`);
  return book;
}

function rulesNamed(access: string, rules: Config['rules']): readonly Rule[] {
  const found = [rules, rulePresets].find((lists) => Object.hasOwn(lists, access));
  if (found === undefined) throw new Error(`there are no rules ${access}`);
  return Object.entries<readonly Rule[]>(found).find(([name]) => name === access)?.[1] ?? [];
}

/** Of a service account's token the issuer says whose it is. */
function issuersOf(all: Config['clusters']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, { serviceAccountTokens }]) =>
      serviceAccountTokens.issuer === undefined ? [] : [[name, serviceAccountTokens.issuer]],
    ),
  );
}

export interface ClusterSurroundings {
  /** Failed logins by address. Default: none. */
  readonly attempts?: Pick<Attempts, 'hasFailed'>;
  /** The clock of what is remembered, in milliseconds. Default: one that never goes back. */
  readonly now?: () => number;
  /** What replicas share accepted tokens of that cluster by. Default: nothing is shared. */
  readonly sharing?: (cluster: string) => ReviewSharing | undefined;
}

/** Rejects with `ConfigError` when a cluster's address or login is unknown. Sends no request. */
export async function configuredClusters(
  all: Config['clusters'],
  events: ClusterEvents,
  around: ClusterSurroundings = {},
): Promise<KnownClusters> {
  const made = await Promise.all(
    Object.entries(all).map(
      async ([name, config]) => [name, await configuredCluster(name, config, events, around)] as const,
    ),
  );
  return new Map(made);
}

/** Connections that no question whose a token is may take. */
const connectionsForRights = 2;
/**
 * Such questions that wait for a connection, of each kind: see LoginPlaces. A farm that starts
 * shows the tokens of all its namespaces at once.
 */
const mostReviewsWaiting = 5_000;
/** Tokens that are looked up in the store at a time: few enough to get their review soon. */
const mostLooks = 64;

/**
 * One of them, from the inside out: the cluster, shared and remembered answers, local checks of its
 * tokens.
 */
export async function configuredCluster(
  name: string,
  { remember, serviceAccountTokens, streams: _, ...where }: ClusterConfig,
  events: ClusterEvents,
  { attempts, now, sharing }: ClusterSurroundings,
): Promise<RememberedCluster> {
  const cluster = await createKubernetesCluster({ ...where, name, events }).catch((cause: Error) => {
    throw new ConfigError('config', [{ path: '', message: cause.message }]);
  });
  const bounds = {
    maxWaiting: mostReviewsWaiting,
    maxWaitMs: where.timeoutMs,
    hasFailed: attempts && ((address: string) => attempts.hasFailed(address, 'token')),
  };
  const maxRunning = Math.max(1, where.connections - connectionsForRights);
  const fair = fairlyReviewed(cluster, new LoginPlaces({ ...bounds, maxRunning }));
  const by = sharing?.(name);
  const places = new LoginPlaces({ ...bounds, maxRunning: mostLooks });
  const shared =
    by && new SharedReviews({ ...by, cluster: name, tokenMs: remember.tokenMs, places, ...defined({ now }) });
  const known = remembered(fair, { ...remember, ...defined({ now, shared }), events });
  const { check, issuer, audiences, localMs } = serviceAccountTokens;
  if (check === 'review' || issuer === undefined) return known;
  const keySet = () => cluster.keySet();
  return locallyChecked(known, { check, issuer, localMs, keySet, events, ...defined({ audiences }) });
}
