// Room `fleet`: replicas that share one upstream link. In: a list of members, a key, an upstream.
// Out: an upstream that asks the owner of the content. Imports: base, fleet/members,
// fleet/protocol, oci, upstream/download; types of upstream.

import { defined } from '../base/text/defined.ts';
import type { Clock } from '../base/time/wait.ts';
import { createDownloads } from '../upstream/download/downloads.ts';
import type { ConnectOptions } from '../upstream/download/pooled-socket.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { type AskedUpstream, askedOnce } from './asked-once.ts';
import { asOwner, byOwner } from './by-owner.ts';
import type { FleetEvents } from './events.ts';
import { Heartbeat } from './members/heartbeat.ts';
import type { MemberList } from './members/lists.ts';
import { Members } from './members/members.ts';
import { News } from './news.ts';
import { createMemberClient, type MemberClient } from './protocol/member-client.ts';
import type { MemberNews, Pong } from './protocol/news.ts';
import type { MemberWire } from './protocol/proven-get.ts';
import type { Seals } from './protocol/seals.ts';
import { WorkerRelay } from './relay.ts';

export interface FleetOptions {
  /** `host:port` under which other members reach this process, until the list says otherwise. */
  readonly self: string;
  /** Unique for each process: a member that answers with it is this one under another name. */
  readonly instance: string;
  readonly list: MemberList;
  readonly seals: Seals;
  /** Whether all members have one store. Default: each has its own. */
  readonly hasOneStore?: boolean;
  /** How members are connected to by TLS, as it is now. Default: plain HTTP, proven by the key. */
  readonly line?: () => ConnectOptions;
  /** The Unix sockets of members on this machine; those that started them say who lives. */
  readonly socketOf?: (member: string) => string;
  /** Default: HTTP on connections of its own. */
  readonly wire?: MemberWire;
  readonly events?: Partial<FleetEvents>;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default: Date.now. */
  readonly now?: () => number;
}

/** This process among the replicas that share its upstreams. */
export interface Fleet {
  readonly members: Members;
  /** The upstream, asked by the owner of each piece of content for the whole fleet. */
  joined(upstream: Upstream): Upstream;
  /** The upstream as this process asks it for other members. */
  owned(upstream: AskedUpstream): AskedUpstream;
  /** Passes questions on to the member that owns the content. */
  readonly relay: WorkerRelay;
  /** Passes a request to the mirror on to a member. */
  readonly forward: MemberClient['forward'];
  /** What this process says of itself. */
  pong(): Pong;
  /** Follows the list and pings the members. */
  start(): void;
  /** Asks the member now whether it lives. */
  look(member: string): void;
  /** A member told something: who follows the news learns of it. */
  told(news: MemberNews): void;
  /** Calls back for what members tell. */
  follow(listener: (news: MemberNews) => void): void;
  /** Tells all other members, soon. */
  tell(news: MemberNews): void;
  /** From now on new work goes to others. Resolves once they were told, within 2 s. */
  leave(): Promise<void>;
  /** Resolves once what was to be told is told, or gets no answer for 2 s. */
  flushed(): Promise<void>;
  close(): void;
}

/** Until a connection to a member stands, milliseconds. */
export const memberConnectMs = 2_000;

/** Asks nothing before `start`. */
export function createFleet(options: FleetOptions): Fleet {
  const { list, seals, events, instance, hasOneStore = false, line, wire, socketOf } = options;
  const times = { ...(options.clock && { clock: options.clock }), ...(options.now && { now: options.now }) };
  const members = new Members({ ...options, changed: (live) => events?.membersChanged?.({ live }) });
  const downloads = wire ?? createDownloads();
  const plain: ConnectOptions = {
    tls: { rejectUnauthorized: true },
    connectTimeoutMs: memberConnectMs,
    ...(socketOf && { socketOf }),
  };
  const client = createMemberClient({
    ...{ wire: downloads, line: line ?? (() => plain), isTls: line !== undefined, seals, ...times },
    received: (bytes) => events?.memberBytes?.({ direction: 'received', bytes }),
    ...defined({ asking: events?.memberAsking }),
  });
  const news = new News({ members, client, ...times });
  const listeners: ((news: MemberNews) => void)[] = [];
  const heartbeat = new Heartbeat({
    members,
    ...{ ping: client.ping, isAnswering: client.isAnswering },
    // A process that starts knows all others at once, and is not to wait for their next ping.
    met: (member) => void client.tell(member, [{ kind: 'came', member: members.self }]),
    instance,
    ...times,
  });
  /** Workers are named as long as they live. */
  const isPinged = socketOf === undefined;
  const parts = { members, client, hasOneStore, ...times, ...(events && { events }) };
  return {
    members,
    relay: new WorkerRelay({ members, client }),
    forward: client.forward,
    joined: (upstream) => byOwner({ upstream, ...parts }),
    owned: (upstream) => askedOnce(asOwner(upstream, parts)),
    pong: () => ({ instance, isLeaving: members.isLeaving }),
    start() {
      list.follow((listed) => members.listed(listed));
      if (isPinged) void heartbeat.run();
    },
    look: (member) => heartbeat.look(member),
    told(told) {
      if (told.kind === 'leaving') members.leaves(told.member);
      if (told.kind === 'came' && isPinged) heartbeat.look(told.member);
      for (const listener of listeners) listener(told);
    },
    follow: (listener) => void listeners.push(listener),
    tell: (told) => news.tell(told),
    async leave() {
      members.leave();
      await news.now([{ kind: 'leaving', member: members.self }]);
    },
    flushed: () => news.flushed(),
    close() {
      heartbeat.close();
      list.close();
      downloads.close();
    },
  };
}
