// Room `app/replicas`: what replicas share beside the store: content, news, reviews, the order to
// forget. In: the configuration, parts. Out: instances for `app`. Imports: auth/clusters,
// auth/tokens, base, fleet, fleet/members, fleet/protocol, kubernetes, proxy/members, store,
// telemetry/metrics; types of auth, cache, cache/registry, config, proxy/http, store/disk-tier,
// telemetry, upstream, upstream/download, workers.

import { randomBytes } from 'node:crypto';
import { readOnChange } from '../../base/state/watched-file.ts';
import { defined } from '../../base/text/defined.ts';
import { type Clock, withTimeout } from '../../base/time/wait.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Config } from '../../config/load.ts';
import type { AskedUpstream } from '../../fleet/asked-once.ts';
import type { FleetEvents } from '../../fleet/events.ts';
import { createFleet, type Fleet, memberConnectMs } from '../../fleet/fleet.ts';
import { createFixedList, createNameList, type MemberList } from '../../fleet/members/lists.ts';
import type { ForwardedReply, ForwardedRequest } from '../../fleet/protocol/forwarded.ts';
import { createSeals, parseFleetKeys } from '../../fleet/protocol/seals.ts';
import { createKubernetesClient } from '../../kubernetes/client.ts';
import { loadKubeconfig } from '../../kubernetes/kubeconfig.ts';
import type { MemberDoorOptions } from '../../proxy/members/door.ts';
import type { Log } from '../../telemetry/log.ts';
import { createSliceList } from './endpoint-slices.ts';
import { type MemberPort, openedMemberPort } from './member-port.ts';
import { followedMemberTls } from './member-tls.ts';

interface FleetParts {
  readonly log: Log;
  readonly events?: Partial<FleetEvents>;
  readonly clock?: Clock;
  /** The name of this process, which all of its workers have. Default: a random one. */
  readonly instance?: string | undefined;
}

/** The members as this process sees them now. */
export interface FleetView {
  readonly self: string;
  /** Who answers, this process among them. */
  readonly live: readonly string[];
  /** All others that are listed. */
  readonly others: readonly string[];
  ownerOf(key: string): string;
}

/** The fleet, and the port where this process answers other members. */
export interface ConfiguredFleet
  extends Pick<Fleet, 'joined' | 'owned' | 'look' | 'leave' | 'tell' | 'follow'> {
  /** The name of this process, with all of its workers, in its answers to pings. */
  readonly instance: string;
  /** Passes a request on to the process of that name; undefined also where there is none now. */
  forward(instance: string, request: ForwardedRequest): Promise<ForwardedReply | undefined>;
  /** That replica is leaving. */
  leaves(member: string): void;
  view(): FleetView;
  /** The part of the limits towards upstreams that is this member's. */
  share(): number;
  /**
   * Begins to answer and to ask. `registries` are the upstreams as this process asks them itself,
   * by name, at each question; `relay` leads to its other workers. Resolves to where it listens.
   */
  listen(parts: ListenParts): Promise<string>;
  /** Closes the port: the last thing to go, since others may read from here till then. */
  close(): Promise<void>;
  /** Ends answers that still run, at the end of the grace time. */
  abort(): void;
}

interface ListenParts extends Pick<MemberDoorOptions, 'relay' | 'forwarded'> {
  readonly registries: ReadonlyMap<string, CachedRegistry>;
  readonly asked: readonly AskedUpstream[];
}

/** What is still to be told at the end may take so long, milliseconds. */
const lastNewsMs = 1_000;

type FleetConfig = NonNullable<Config['fleet']>;

/** Undefined where no fleet is configured. Rejects for a key file or certificate that is none. */
export async function configuredFleet(
  config: Config,
  { log, events = {}, clock, instance = randomBytes(9).toString('base64url') }: FleetParts,
): Promise<ConfiguredFleet | undefined> {
  const { fleet: settings } = config;
  if (settings === undefined) return undefined;
  const own = log.child({ component: 'fleet' });
  const keys = readOnChange([settings.keyFile], ([text = '']) => parseFleetKeys(text));
  await keys();
  const seals = createSeals(keys);
  const timeout = { connectTimeoutMs: memberConnectMs, log: own };
  const tls = settings.tls && (await followedMemberTls(settings.tls, timeout));
  const fleet = createFleet({
    self: settings.self ?? settings.listen,
    instance,
    list: await listOf(config, settings, own),
    hasOneStore: 's3' in config.store,
    ...{ seals, events },
    ...defined({ line: tls?.line, clock }),
  });
  let port: MemberPort | undefined;
  let settled = async (): Promise<unknown> => undefined;
  return {
    joined: fleet.joined,
    owned: fleet.owned,
    leave: fleet.leave,
    tell: fleet.tell,
    leaves: (member) => fleet.members.leaves(member),
    look: fleet.look,
    follow: fleet.follow,
    view() {
      const { self, live, others } = fleet.members;
      return { self, live, others, ownerOf: (key) => fleet.members.ranked(key)[0] ?? self };
    },
    share: () => 1 / fleet.members.live.length,
    instance,
    async forward(name, request) {
      const member = fleet.members.memberOf(name);
      return member === undefined ? undefined : fleet.forward(member, request);
    },
    async listen({ registries, ...others }) {
      const { pong, told } = fleet;
      const parts = { ...others, seals, registries, pong, told, events, ...defined({ tls }) };
      settled = () => Promise.all([...registries.values()].map((registry) => registry.settled()));
      port = await openedMemberPort({ listen: settings.listen, ...parts });
      fleet.start();
      return port.address;
    },
    async close() {
      await withTimeout(fleet.flushed(), lastNewsMs, () => undefined);
      fleet.close();
      tls?.close();
      await port?.close();
      await settled();
    },
    abort: () => port?.abort(),
  };
}

async function listOf(
  { clusters }: Config,
  { addresses = [], dns, endpointSlices: slices }: FleetConfig,
  log: Pick<Log, 'warn'>,
): Promise<MemberList> {
  const failed = (error: unknown): void =>
    log.warn({ err: error }, 'cannot look up the members of the fleet; the list stays what it was');
  if (dns !== undefined) return createNameList({ name: dns, failed });
  if (slices === undefined) return createFixedList(addresses);
  const { kubeconfigFile, context } = clusters[slices.cluster] ?? {};
  const kubeconfig = await loadKubeconfig(defined({ kubeconfigFile, context }));
  const client = createKubernetesClient({ kubeconfig, connections: 2 });
  return createSliceList({ ...slices, client, failed });
}
