import type { LRUCache } from 'lru-cache';
import type { Test } from 'tap';
import { type MemberPort, openedMemberPort } from '../../src/app/replicas/member-port.ts';
import { createLru } from '../../src/base/state/lru.ts';
import type { Clock } from '../../src/base/time/wait.ts';
import { type CacheContext, createCacheContext } from '../../src/cache/registry/context.ts';
import { type CachedRegistry, createCachedRegistry } from '../../src/cache/registry/registry.ts';
import { askedOnce } from '../../src/fleet/asked-once.ts';
import type { FleetEvents } from '../../src/fleet/events.ts';
import { createFleet, type Fleet } from '../../src/fleet/fleet.ts';
import type { MemberNews } from '../../src/fleet/protocol/news.ts';
import { createSeals } from '../../src/fleet/protocol/seals.ts';
import { parseRepository, type Repository } from '../../src/oci/reference.ts';
import { createBufferPool } from '../../src/store/buffers.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { createUpstream } from '../../src/upstream/client/client.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { type RegistryDouble, registryDouble } from '../support/registry-double.ts';

/** Members over one store and one registry, in one process. */
export interface FleetRig {
  readonly double: RegistryDouble;
  readonly members: readonly RigMember[];
  readonly repository: Repository;
  /** Makes the member's port end every connection, and refuse new ones. */
  kill(member: RigMember): Promise<void>;
  /** How often the registry was asked for something that contains the text. */
  asked(text: string): number;
}

/** One member, with what its clients see. */
export interface RigMember {
  readonly name: string;
  readonly fleet: Fleet;
  readonly registry: CachedRegistry;
  readonly cache: CacheContext;
  /** What the upstream is known to lack. */
  readonly absent: LRUCache<string, string>;
  readonly port: MemberPort;
  /** What its fleet reported, in order. */
  readonly events: readonly (readonly [name: string, event: unknown])[];
  /** Gives it another list of members than the others have. */
  see(members: readonly string[]): void;
}

interface FleetRigOptions {
  readonly members?: number;
  /** The key of each member; the same without. */
  readonly keys?: readonly string[];
  /** The store that all share, or one for each. */
  readonly stores?: () => Store;
  /** Where each member finds the registry. Default: where it is. */
  readonly urls?: (index: number, url: string) => string;
  /** How long an absence is believed, milliseconds. Default 5,000. */
  readonly negativeMs?: number;
  /** The time between members. Default: the system's. */
  readonly clock?: Clock;
}

export const fleetKey = 'a key of the fleet that is long enough for it';

export const policy = {
  freshMs: 30_000,
  refreshBehindMs: 30_000,
  staleMs: 3_600_000,
  negativeMs: 5_000,
  immutable: [],
  gone: 'hide',
  historyEntries: 3,
} as const;

/** A fleet that ends with its test. */
export async function fleetRig(t: Test, options: FleetRigOptions = {}): Promise<FleetRig> {
  const double = await registryDouble();
  const store = createMemoryStore();
  const closers: (() => Promise<unknown>)[] = [];
  t.teardown(async () => {
    for (const close of closers.reverse()) await close();
    await double.close();
  });
  const lists = new Map<number, (members: readonly string[]) => void>();

  async function member(index: number): Promise<RigMember> {
    const events: [string, unknown][] = [];
    const seals = createSeals(() => [options.keys?.[index] ?? fleetKey]);
    const fleet = createFleet({
      self: `unknown:${index}`,
      instance: `${index}`,
      list: { follow: (listed) => void lists.set(index, listed), close: () => undefined },
      seals,
      hasOneStore: options.stores === undefined,
      ...(options.clock && { clock: options.clock }),
      events: recorder(events),
    });
    const moved = (event: Omit<Extract<MemberNews, { kind: 'moved' }>, 'kind'>): void =>
      fleet.tell({ kind: 'moved', ...event });
    const cache = createCacheContext({
      store: options.stores?.() ?? store,
      spool: { path: t.testdir(), maxBytes: 1e9 },
      memory: { maxBytes: 1e6, maxEntryBytes: 1_000 },
      buffers: createBufferPool(),
      isStoredOnce: options.stores === undefined,
      events: new Proxy(silent, { get: (_t, name) => (name === 'tagMoved' ? moved : unheard) }),
    });
    const upstream = askedOnce(
      createUpstream({
        ...{ name: 'quay.io', allowPrivateAddresses: true, retries: 0, random: () => 0 },
        url: options.urls?.(index, double.url) ?? double.url,
      }),
    );
    const { negativeMs = policy.negativeMs } = options;
    const absent = createLru<string, string>(100, { keepMs: negativeMs });
    const made = (one: Upstream, askers?: 'replicas'): CachedRegistry =>
      createCachedRegistry({ ...cache, upstream: one, policy, absent, askers });
    const own = fleet.owned(upstream);
    const registries = new Map([['quay.io', made(own, 'replicas')]]);
    const registry = made(fleet.joined(upstream));
    const { pong, told } = fleet;
    const parts = { seals, registries, asked: [upstream, own], pong, told, events: {} };
    const port = await openedMemberPort({ ...parts, listen: '127.0.0.1:0' });
    const name = port.address;
    fleet.follow((news) => {
      if (news.kind === 'moved') cache.tags.outdate(news, news.tag, news.digest);
    });
    fleet.members.known(name);
    fleet.start();
    closers.push(async () => {
      fleet.close();
      port.abort();
      await port.close();
      await cache.fills.abort();
      await registry.settled();
      await upstream.close();
      await cache.close();
    });
    return {
      name,
      fleet,
      registry,
      cache,
      absent,
      port,
      events,
      see: (listed) => lists.get(index)?.(listed),
    };
  }

  const members: RigMember[] = [];
  for (let index = 0; index < (options.members ?? 3); index += 1) members.push(await member(index));
  for (const one of members) one.see(members.map(({ name }) => name));
  return {
    double,
    members,
    repository: parseRepository('team/app'),
    async kill({ port, fleet }) {
      fleet.close();
      port.abort();
      await port.close();
    },
    asked: (text) => double.seen(text).length,
  };
}

/** The members in the order in which they own the key. */
export function inOrder(rig: FleetRig, key: string): readonly RigMember[] {
  const [first] = rig.members;
  return (first?.fleet.members.ranked(key) ?? []).flatMap((name) =>
    rig.members.filter((member) => member.name === name),
  );
}

function recorder(events: [string, unknown][]): Partial<FleetEvents> {
  return new Proxy(
    {},
    {
      get: (_target, name) => (event: unknown, run?: () => unknown) =>
        run === undefined ? events.push([String(name), event]) : run(),
    },
  );
}

/** Of an event that lasts, what it encloses is run. */
const unheard = (_event: unknown, run?: () => unknown): unknown => run?.();

const silent = new Proxy({}, { get: () => unheard }) as Parameters<typeof createCacheContext>[0]['events'];
