// Room `drill/stand`: a fleet with all that it needs, on loopback. In: places, programs. Out: its
// parts, each behind a front. Imports: base, drill/fronts, oci.

import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasSlept } from '../../base/time/wait.ts';
import { type Authority, type Certificate, createAuthority } from '../fronts/certificates.ts';
import { createHttpFront, type HttpFront } from '../fronts/http-front.ts';
import { createTcpFront, type TcpFront } from '../fronts/tcp-front.ts';
import { createReviewingCluster, kubeconfigFor } from './cluster.ts';
import { createDistribution, type OtherCache } from './distribution.ts';
import { createDrillFolder } from './folder.ts';
import { createDrillDisk, type DrillDisk } from './machine.ts';
import { createMemoryRegistry, type MemoryRegistry } from './registry.ts';
import { createReplica, createReplicaPlace, type FleetReplica } from './replica.ts';
import { diskOf, type StandParts, settingsOf, standFiles } from './settings.ts';
import { type BucketServer, bucketSettings, createBucketServer } from './versitygw.ts';

export interface StandOptions {
  readonly replicas: number;
  /** The path of an S3 server; undefined: each replica stores in a directory. */
  readonly versitygw: string | undefined;
  /** The path of distribution, to be beside us; undefined: it is not. */
  readonly distribution: string | undefined;
  readonly own: StandParts['own'];
  readonly inertiaMs: number;
  readonly signal: AbortSignal;
}

/** A running fleet, and what may be done to each part. */
export interface DrillStand {
  readonly folder: string;
  readonly registry: MemoryRegistry;
  /** What the fleet asks of its upstream passes here. */
  readonly upstream: HttpFront;
  /** What the mirror of the fleet copies to passes here. */
  readonly copies: HttpFront;
  /** Certificates of the upstream: a good one, and one that has expired. */
  readonly certificates: { readonly good: Certificate; readonly expired: Certificate };
  readonly cluster: HttpFront;
  /** Undefined without an S3 server. */
  readonly bucket: (BucketServer & { readonly front: HttpFront }) | undefined;
  readonly replicas: readonly FleetReplica[];
  /** The disk of the first replica. */
  readonly disk: DrillDisk;
  /** Undefined without one. */
  readonly other: OtherCache | undefined;
  /** Where clients connect: the replicas that are ready, in turn. */
  readonly door: string;
  /** A login that the cluster accepts. */
  readonly tokenFile: string;
  /** Where the fleet stores blobs. */
  readonly storeFolders: readonly string[];
  close(): Promise<void>;
}

/** Starts everything. What was started ends again where a part cannot start. */
export async function createDrillStand(options: StandOptions): Promise<DrillStand> {
  const ends: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).toReversed()) await end().catch(() => undefined);
  };
  try {
    return { ...(await started(options, (end) => ends.push(end))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function started(
  { replicas: count, versitygw, distribution, own, inertiaMs, signal }: StandOptions,
  defer: (end: () => Promise<unknown>) => void,
): Promise<Omit<DrillStand, 'close'>> {
  const kept = <Part extends { close(): Promise<void> }>(part: Part): Part => {
    defer(() => part.close());
    return part;
  };
  const folder = await createDrillFolder();
  defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const authority = createAuthority();
  const certificates = { good: authority.issued(), expired: authority.issued({ days: -1 }) };
  const registry = kept(await createMemoryRegistry());
  const upstream = kept(await createHttpFront(registry.url, certificates.good));
  const copies = kept(await createHttpFront(registry.url));
  const cluster = kept(await createHttpFront(kept(await createReviewingCluster()).url, certificates.good));
  const tokenFile = await written(folder, authority, cluster);
  const server = versitygw === undefined ? undefined : await createBucketServer(folder, versitygw, signal);
  if (server !== undefined) defer(() => server.child.stop());
  const bucket =
    server === undefined ? undefined : { ...server, front: kept(await createHttpFront(server.url)) };
  const store = bucket === undefined ? undefined : await bucketSettings(folder, bucket.front.url);
  const places = [];
  for (let index = 0; index < count; index += 1) {
    const place = await createReplicaPlace(folder, index);
    kept(place.member);
    places.push(place);
  }
  const [first] = places;
  if (first === undefined) throw new Error('a fleet needs a replica');
  const disk = kept(await createDrillDisk(diskOf(folder, first)));
  const parts = { folder, places, own, inertiaMs, store, upstreamUrl: upstream.url, copiesUrl: copies.url };
  const replicas: FleetReplica[] = [];
  for (const place of places) {
    signal.throwIfAborted();
    const replica = await createReplica(folder, place, settingsOf(parts, place), signal);
    defer(() => replica.child.stop());
    replicas.push(replica);
  }
  const authorityFile = join(folder, standFiles.authority);
  const other =
    distribution === undefined
      ? undefined
      : await createDistribution(folder, distribution, upstream.url, authorityFile, signal);
  if (other !== undefined) defer(() => other.child.stop());
  const door = await openedDoor(replicas, defer);
  const storeFolders =
    bucket === undefined ? places.map((place) => join(diskOf(folder, place), 'store')) : [bucket.folder];
  return {
    ...{
      folder,
      registry,
      upstream,
      copies,
      certificates,
      cluster,
      bucket,
      replicas,
      disk,
      other,
      storeFolders,
    },
    door: `http://${door.host}`,
    tokenFile,
  };
}

async function written(folder: string, authority: Authority, cluster: HttpFront): Promise<string> {
  const write = (name: keyof typeof standFiles, text: string): Promise<void> =>
    writeFile(join(folder, standFiles[name]), text, { mode: 0o600 });
  await write('authority', authority.cert);
  await write('fleetKey', `${randomBytes(32).toString('hex')}\n`);
  await write('kubeconfig', kubeconfigFor(cluster.url, authority.cert));
  await write('mirror', '{}');
  await write('token', `drill-${randomBytes(20).toString('hex')}`);
  return join(folder, standFiles.token);
}

const probeEveryMs = 2_000;
const probeMs = 2_000;
const failures = 2;

/** As a Service: a replica that fails its readiness probe twice gets no new connections. */
async function openedDoor(
  replicas: readonly FleetReplica[],
  defer: (end: () => Promise<unknown>) => void,
): Promise<TcpFront> {
  const failed = new Map(replicas.map(({ port }) => [port, 0]));
  const ready = (): readonly number[] => {
    const good = replicas.map(({ port }) => port).filter((port) => (failed.get(port) ?? 0) < failures);
    return good.length > 0 ? good : replicas.map(({ port }) => port);
  };
  const door = await createTcpFront(ready);
  const ending = new AbortController();
  const probe = async ({ port, admin }: FleetReplica): Promise<void> => {
    while (await hasSlept(probeEveryMs, ending.signal)) {
      const isReady = await isGood(`${admin}/readyz`, probeMs);
      failed.set(port, isReady ? 0 : (failed.get(port) ?? 0) + 1);
    }
  };
  const probes = replicas.map(probe);
  defer(async () => {
    ending.abort();
    await Promise.all([door.close(), ...probes]);
  });
  return door;
}

/** Whether the page answers with 200 in time. */
export async function isGood(url: string, withinMs: number): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(withinMs) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
