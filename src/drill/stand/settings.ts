import { join } from 'node:path';
import type { ReplicaPlace } from './replica.ts';

/** The names of the two registries, as a client would write them. */
export const registryNames = { source: 'registry.drill', copies: 'copies.drill' } as const;

/** What the settings of all replicas are made of. */
export interface StandParts {
  readonly folder: string;
  readonly upstreamUrl: string;
  readonly copiesUrl: string;
  /** The section `store` of all; undefined: each has a directory of its own. */
  readonly store: object | undefined;
  readonly places: readonly ReplicaPlace[];
  /** Sections of the user's own, such as `limits` and `tags`. */
  readonly own: Readonly<Record<string, unknown>>;
  /** How long a fault lasts until it counts, milliseconds. */
  readonly inertiaMs: number;
}

/** Names of files that the settings point to, in the folder of the stand. */
export const standFiles = {
  authority: 'authority.pem',
  fleetKey: 'fleet.key',
  kubeconfig: 'kubeconfig.json',
  mirror: 'mirror.json',
  token: 'token',
} as const;

/** Where the disk of a replica is mounted. */
export function diskOf(folder: string, { name }: Pick<ReplicaPlace, 'name'>): string {
  return join(folder, `${name}-disk`);
}

/**
 * The settings of one replica: the defaults of the product wherever the drill does not need others.
 * The first one has a disk before its bucket.
 */
export function settingsOf(parts: StandParts, place: ReplicaPlace): object {
  const { folder, places, inertiaMs } = parts;
  const { upstream: ownUpstream, ...own } = parts.own;
  const file = (name: keyof typeof standFiles): string => join(folder, standFiles[name]);
  const disk = diskOf(folder, place);
  const isFirst = places[0] === place;
  const before = isFirst ? { disk: { path: join(disk, 'copies'), maxBytes: '64MiB' } } : {};
  const upstream = { url: parts.upstreamUrl, caFile: file('authority'), allowPrivateAddresses: true };
  return {
    ...own,
    listen: `127.0.0.1:${place.port}`,
    admin: { listen: `127.0.0.1:${place.adminPort}` },
    store:
      parts.store === undefined
        ? { filesystem: { path: join(disk, 'store') } }
        : { ...parts.store, ...before },
    spool: { path: join(disk, 'spool'), maxBytes: '64MiB' },
    defaultUpstream: registryNames.source,
    upstreams: {
      [registryNames.source]: { ...sectionOf(ownUpstream), ...upstream },
      [registryNames.copies]: { url: parts.copiesUrl, allowPrivateAddresses: true },
    },
    fleet: {
      listen: `127.0.0.1:${place.fleetPort}`,
      self: place.member.host,
      addresses: places.map(({ member }) => member.host),
      keyFile: file('fleetKey'),
    },
    clusters: { drill: { kubeconfigFile: file('kubeconfig'), remember: { tokenMs: '30m', allowMs: '30m' } } },
    hosts: { '*': { auth: 'cluster', clusters: ['drill'], access: 'open' } },
    mirror: { configFile: file('mirror'), listen: false },
    conditions: { inertiaMs },
    shutdownDelayMs: 0,
  };
}

function sectionOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}
