import { type RuleAction, ruleFaults } from '../auth/rules/rule-faults.ts';
import { rulePresets } from '../auth/rules/rule-presets.ts';
import { type Contradiction, contradictionIf, type FaultPath } from './faults.ts';
import type { Settings } from './schema/schema.ts';

/** The rules that every service has; a list under `rules` cannot take their names. */
const builtInRules = Object.keys(rulePresets);

type RuleSettings = Settings['rules'][string][number];

/** What a rule of the configuration may say. */
const actions: readonly RuleAction[] = ['ask', 'allow', 'refuse', 'followDigest'];

/** Contradictions among hosts, clusters and rules. */
export function accessContradictions(settings: Settings): Contradiction[] {
  return [
    ...mirrorContradictions(settings),
    ...Object.entries(settings.hosts).flatMap(([name, host]) => [
      ...hostContradictions(settings, name, host),
      ...blobsContradictions(settings, name, host),
    ]),
    ...Object.entries(settings.clusters).flatMap(([name, cluster]) => [
      ...clusterContradictions(name, cluster),
      ...streamContradictions(settings, name, cluster),
    ]),
    ...Object.entries(settings.rules).flatMap(([name, rules]) => [
      ...contradictionIf(builtInRules.includes(name), ['rules', name], 'is the name of a built-in list'),
      ...rules.flatMap((rule, index) =>
        ruleFaults(rule, actions).map(({ path, message }) => ({
          path: ['rules', name, index, ...path],
          message,
        })),
      ),
      ...rules.flatMap((rule, index) => openedByDigest(['rules', name, index], rule, rules.slice(0, index))),
    ]),
  ];
}

function hostContradictions(
  { clusters, rules }: Settings,
  name: string,
  host: Settings['hosts'][string],
): Contradiction[] {
  const path = ['hosts', name];
  const about = [[...path, 'auth']];
  if (host.auth !== 'cluster') {
    const idle = (['access', 'clusters'] as const).filter((key) => host[key] !== undefined);
    return idle.map((key) => ({
      path: [...path, key],
      message: `has no effect: auth is ${host.auth}`,
      about,
    }));
  }
  const known = [...builtInRules, ...Object.keys(rules)];
  const rulesText = known.join(', ');
  const names = Object.keys(clusters);
  const hasNone = names.length === 0 || host.clusters?.length === 0;
  return [
    ...(host.access === undefined
      ? [
          {
            path: [...path, 'access'],
            message: `is required where auth is cluster: one of ${rulesText}`,
            about,
          },
        ]
      : contradictionIf(
          !known.includes(host.access),
          [...path, 'access'],
          `${host.access} is not among the rules: ${rulesText}`,
        )),
    ...contradictionIf(hasNone, [...path, 'auth'], 'cluster needs an entry under clusters'),
    ...(host.clusters ?? []).flatMap((cluster, index) =>
      unknownCluster(clusters, cluster, [...path, 'clusters', index]),
    ),
  ];
}

/** What is wrong with a name of a cluster that is none of ours. */
export function unknownCluster(
  clusters: Settings['clusters'],
  name: string | undefined,
  path: FaultPath,
): Contradiction[] {
  const isKnown = name === undefined || Object.hasOwn(clusters, name);
  const names = Object.keys(clusters).join(', ') || 'none';
  return contradictionIf(!isKnown, path, `${name} is not among the clusters: ${names}`);
}

function mirrorContradictions({ mirror, clusters }: Settings): Contradiction[] {
  return (['lease', 'imageStreams'] as const).flatMap((part) =>
    unknownCluster(clusters, mirror?.[part]?.cluster, ['mirror', part, 'cluster']),
  );
}

function blobsContradictions(
  { store }: Settings,
  name: string,
  { blobs }: Settings['hosts'][string],
): Contradiction[] {
  const isWrong = blobs === 'redirect' && store.s3 === undefined;
  return contradictionIf(isWrong, ['hosts', name, 'blobs'], 'redirect needs an S3 store', [['store']]);
}

function clusterContradictions(name: string, cluster: Settings['clusters'][string]): Contradiction[] {
  const path = ['clusters', name];
  const { check, issuer } = cluster.serviceAccountTokens;
  const lacksFile = cluster.context !== undefined && cluster.kubeconfigFile === undefined;
  const lacksIssuer = check !== 'review' && issuer === undefined;
  const issuerPath = [...path, 'serviceAccountTokens', 'issuer'];
  return [
    ...contradictionIf(lacksFile, [...path, 'context'], 'needs kubeconfigFile'),
    ...contradictionIf(lacksIssuer, issuerPath, `is required where check is ${check}`),
  ];
}

/** Followed image streams that decide nothing, and names of this service that are an upstream's. */
function streamContradictions(
  { hosts, upstreams }: Settings,
  name: string,
  { streams }: Settings['clusters'][string],
): Contradiction[] {
  if (streams === undefined) return [];
  const path = ['clusters', name, 'streams'];
  const { trusted, namespaces, proxyNames } = streams;
  const isAsked = Object.values(hosts).some(
    ({ auth, clusters }) => auth === 'cluster' && (clusters?.includes(name) ?? true),
  );
  return [
    ...contradictionIf(!isAsked, path, `has no effect: no host with auth: cluster asks ${name}`, [['hosts']]),
    ...trusted.flatMap((namespace, index) =>
      contradictionIf(
        namespaces !== undefined && !namespaces.includes(namespace),
        [...path, 'trusted', index],
        `has no effect: ${namespace} is not among the namespaces`,
        [[...path, 'namespaces']],
      ),
    ),
    ...proxyNames.flatMap((host, index) =>
      contradictionIf(
        Object.hasOwn(upstreams, host),
        [...path, 'proxyNames', index],
        `${host} is the name of an upstream, not of this service`,
      ),
    ),
  ];
}

const everything = new Set(['.+', '.*']);

/** Rejects `allow` rules that match everything: by digest they expose what others protect. */
function openedByDigest(
  path: FaultPath,
  { allow, tags, repositories: { source } }: RuleSettings,
  before: readonly RuleSettings[],
): Contradiction[] {
  const undone = before.find(
    (rule) => rule.tags !== undefined && (everything.has(source) || rule.repositories.source === source),
  );
  if (allow !== true || tags !== undefined || undone === undefined) return [];
  const message = `would allow every login to pull by digest what ${undone.name} decides by tag; give it tags: .+`;
  return [{ path: [...path, 'allow'], message }];
}
