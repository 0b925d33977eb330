import { accessContradictions, unknownCluster } from './access-checks.ts';
import { type Contradiction, contradictionIf, type FaultPath } from './faults.ts';
import { missContradictions } from './miss-checks.ts';
import type { Settings } from './schema/schema.ts';

const mib = 1024 ** 2;
/** The word of `defaultUpstream` for none. */
export const noUpstream = 'none';
/** No copy may hold more than half of it. */
const leastDiskBytes = 64 * mib;
const leastScrubBytes = 64 * 1024;

/** Every contradiction between settings that are each fine. */
export function contradictions(settings: Settings): Contradiction[] {
  return [
    ...storeContradictions(settings.store),
    ...diskContradictions(settings),
    ...sizeContradictions(settings),
    ...adminContradictions(settings),
    ...conditionContradictions(settings),
    ...Object.entries(settings.upstreams).flatMap(([name, upstream]) =>
      upstreamContradictions(name, upstream),
    ),
    ...Object.entries(settings.hosts).flatMap(([name, host]) => hostContradictions(name, host)),
    ...accessContradictions(settings),
    ...nameContradictions(settings),
    ...missContradictions(settings),
    ...fleetContradictions(settings),
    ...workerContradictions(settings),
    ...helperContradictions(settings),
  ];
}

function workerContradictions({ workers, store: { memory } }: Settings): Contradiction[] {
  const message = 'must be 1 with store.memory: it is the memory of one process';
  return contradictionIf(workers !== 1 && memory !== undefined, ['workers'], message, [['store', 'memory']]);
}

function helperContradictions({ credentialHelpers: { directories, exec } }: Settings): Contradiction[] {
  const message = 'is required with exec: programs are run from there alone';
  const isNowhere = exec.length > 0 && directories.length === 0;
  return contradictionIf(isNowhere, ['credentialHelpers', 'directories'], message);
}

const membersMessage = 'must name the members by exactly one of addresses, dns and endpointSlices';

function fleetContradictions({ fleet, listen, admin, clusters }: Settings): Contradiction[] {
  if (fleet === undefined) return [];
  const { addresses, dns, endpointSlices } = fleet;
  const isOne = [addresses, dns, endpointSlices].filter((list) => list !== undefined).length === 1;
  const isUnknown = endpointSlices !== undefined && clusters[endpointSlices.cluster] === undefined;
  const taken = [listen, admin.listen].some(
    (other) => other === fleet.listen && !fleet.listen.endsWith(':0'),
  );
  return [
    ...contradictionIf(!isOne, ['fleet'], membersMessage),
    ...contradictionIf(isUnknown, ['fleet', 'endpointSlices', 'cluster'], 'is not under clusters'),
    ...contradictionIf(taken, ['fleet', 'listen'], 'must be a port of its own, for members only'),
  ];
}

function storeContradictions(store: Settings['store']): Contradiction[] {
  const kinds = ['filesystem', 'memory', 's3'] as const;
  const given = kinds.filter((kind) => store[kind] !== undefined);
  if (given.length !== 1) {
    const message = `must hold exactly one of ${kinds.join(', ')}, not ${given.join(' and ') || 'none'}`;
    return [{ path: ['store'], message, about: kinds.map((kind) => ['store', kind]) }];
  }
  return [...scrubContradictions(store), ...(store.s3 === undefined ? [] : s3Contradictions(store.s3))];
}

function diskContradictions({ store: { disk, s3 }, hosts }: Settings): Contradiction[] {
  if (disk === undefined) return [];
  const path = ['store', 'disk'];
  const isUnread = s3?.redirect === 'always' && Object.values(hosts).every(({ blobs }) => blobs !== 'serve');
  return [
    ...contradictionIf(s3 === undefined, path, 'has no effect: it stands before a bucket, store.s3'),
    ...contradictionIf(isUnread, path, 'has no effect: clients read from S3', [['store', 's3', 'redirect']]),
    ...contradictionIf(disk.maxBytes < leastDiskBytes, [...path, 'maxBytes'], 'must be 64MiB at least'),
  ];
}

function scrubContradictions(store: Settings['store']): Contradiction[] {
  const { memory, scrubEveryMs, scrubBytesPerSecond } = store;
  const isIdle = memory !== undefined && typeof scrubEveryMs === 'number';
  const isSlow = scrubBytesPerSecond < leastScrubBytes;
  return [
    ...contradictionIf(isIdle, ['store', 'scrubEveryMs'], 'has no effect: the store is the process’s memory'),
    ...contradictionIf(isSlow, ['store', 'scrubBytesPerSecond'], 'must be 64KiB at least'),
  ];
}

function s3Contradictions(s3: NonNullable<Settings['store']['s3']>): Contradiction[] {
  const at = (key: string): FaultPath => ['store', 's3', key];
  const { partBytes, prefix, redirectExpiresSeconds } = s3;
  const lacksKey = s3.sessionTokenFile !== undefined && s3.accessKeyIdFile === undefined;
  const isNoPart = partBytes !== undefined && (partBytes < 5 * mib || partBytes > 5 * 1024 * mib);
  const isNoPrefix = prefix !== undefined && /^\/|\/$/.test(prefix);
  const isNoTime = redirectExpiresSeconds < 1 || redirectExpiresSeconds > 7 * 86_400;
  return [
    ...together(['store', 's3'], s3, ['accessKeyIdFile', 'secretAccessKeyFile']),
    ...contradictionIf(lacksKey, at('sessionTokenFile'), 'needs accessKeyIdFile and secretAccessKeyFile'),
    ...contradictionIf(isNoPart, at('partBytes'), 'must be from 5MiB to 5GiB, the limits of S3'),
    ...contradictionIf(isNoPrefix, at('prefix'), 'must neither begin nor end with /'),
    ...contradictionIf(isNoTime, at('redirectExpiresSeconds'), 'must be from 1s to 7d, the limits of S3'),
  ];
}

function sizeContradictions({ eviction, memory }: Settings): Contradiction[] {
  const { lowPercent, highPercent } = eviction;
  const { maxEntryBytes, maxBytes } = memory;
  return [
    ...contradictionIf(
      lowPercent >= highPercent,
      ['eviction', 'lowPercent'],
      `must be below highPercent (${highPercent})`,
      [['eviction', 'highPercent']],
    ),
    ...contradictionIf(
      maxEntryBytes > maxBytes,
      ['memory', 'maxEntryBytes'],
      `must not be above maxBytes (${maxBytes})`,
      [['memory', 'maxBytes']],
    ),
  ];
}

function adminContradictions({ listen, admin, clusters }: Settings): Contradiction[] {
  const isSame = listen === admin.listen && !listen.endsWith(':0');
  return [
    ...contradictionIf(isSame, ['admin', 'listen'], `must not be listen's own ${listen}`, [['listen']]),
    ...unknownCluster(clusters, admin.cluster, ['admin', 'cluster']),
  ];
}

function conditionContradictions({ conditions, clusters }: Settings): Contradiction[] {
  const { cluster, namespace, configMap } = conditions;
  const path = ['conditions'];
  const lacksCluster = cluster === undefined && (namespace ?? configMap) !== undefined;
  const lacksNamespace = cluster !== undefined && namespace === undefined;
  return [
    ...unknownCluster(clusters, cluster, [...path, 'cluster']),
    ...contradictionIf(lacksCluster, [...path, 'cluster'], 'is required with namespace and configMap'),
    ...contradictionIf(lacksNamespace, [...path, 'namespace'], 'is required with cluster'),
  ];
}

function upstreamContradictions(name: string, upstream: Settings['upstreams'][string]): Contradiction[] {
  const path = ['upstreams', name];
  return [
    ...contradictionIf(!isHost(name), path, 'must be named by a host name in lower case, as users write it'),
    ...together(path, upstream, ['certFile', 'keyFile']),
    ...(upstream.credentials === undefined
      ? []
      : pairOr([...path, 'credentials'], upstream.credentials, 'authFile')),
  ];
}

function hostContradictions(name: string, host: Settings['hosts'][string]): Contradiction[] {
  const path = ['hosts', name];
  const robots = [...path, 'robots'];
  const about = [[...path, 'auth']];
  const isName = name === '*' || isHost(name);
  const lacksRobots = host.auth === 'robots' && host.robots === undefined;
  const isOpen = host.auth === 'none' && host.robots !== undefined;
  const isShort = host.tokenValiditySeconds < 300;
  return [
    ...contradictionIf(!isName, path, 'must be a host name in lower case, with or without a port, or *'),
    ...contradictionIf(lacksRobots, robots, 'is required where auth is robots', about),
    ...contradictionIf(isOpen, robots, 'has no effect: auth is none', about),
    ...(host.robots === undefined ? [] : pairOr(robots, host.robots, 'htpasswdFile')),
    ...contradictionIf(isShort, [...path, 'tokenValiditySeconds'], 'must be 5m at least'),
  ];
}

function nameContradictions({ upstreams, defaultUpstream, hosts, tracing }: Settings): Contradiction[] {
  const names = Object.keys(upstreams).join(', ') || 'none';
  const isKnown = (name: string | undefined) => name === undefined || Object.hasOwn(upstreams, name);
  const wrong = (path: FaultPath, name: string | undefined): Contradiction[] =>
    contradictionIf(!isKnown(name), path, `${name} is not among the upstreams: ${names}`);
  return [
    ...tracing.upstreams.flatMap((name, index) => wrong(['tracing', 'upstreams', index], name)),
    ...wrong(['defaultUpstream'], defaultUpstream === noUpstream ? undefined : defaultUpstream),
    ...contradictionIf(isKnown(noUpstream), ['upstreams', noUpstream], 'is the word for no default upstream'),
    ...Object.entries(hosts).flatMap(([name, host]) => wrong(['hosts', name, 'upstream'], host.upstream)),
  ];
}

/** Two keys of which one is of no use alone. */
function together<K extends string>(
  path: FaultPath,
  section: Readonly<Partial<Record<K, unknown>>>,
  keys: readonly [K, K],
): Contradiction[] {
  const [given] = keys.filter((key) => section[key] !== undefined);
  const [missing] = keys.filter((key) => section[key] === undefined);
  if (given === undefined || missing === undefined) return [];
  return [{ path: [...path, missing], message: `is required beside ${given}` }];
}

/** A name and its password, in a file each. */
export interface PairFiles {
  readonly usernameFile?: string;
  readonly passwordFile?: string;
}

/** Either the pair of files or the single one, not both and not neither. */
function pairOr<K extends string>(
  path: FaultPath,
  files: PairFiles & Readonly<Partial<Record<K, string>>>,
  single: K,
): Contradiction[] {
  const hasPair = files.usernameFile !== undefined || files.passwordFile !== undefined;
  if (hasPair === (files[single] !== undefined))
    return [{ path, message: `must hold either usernameFile and passwordFile, or ${single}` }];
  return together(path, files, ['usernameFile', 'passwordFile']);
}

function isHost(name: string): boolean {
  return /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/.test(name);
}
