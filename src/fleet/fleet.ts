// Room `fleet`: replicas that share one upstream link. In: a list of members, a key, an upstream.
// Out: an upstream that asks the owner of the content. Imports: base, fleet/members,
// fleet/protocol, oci, upstream/download; types of upstream.

import type { Clock } from '../base/time/wait.ts';
import { createDownloads } from '../upstream/download/downloads.ts';
import type { ConnectOptions } from '../upstream/download/pooled-socket.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { byOwner } from './by-owner.ts';
import type { FleetEvents } from './events.ts';
import { Heartbeat } from './members/heartbeat.ts';
import type { MemberList } from './members/lists.ts';
import { Members } from './members/members.ts';
import { News } from './news.ts';
import type { MemberNews, Pong } from './protocol/ask.ts';
import { createMemberClient } from './protocol/member-client.ts';
import type { Seals } from './protocol/seals.ts';

export interface FleetOptions {
  /** `host:port` under which other members reach this process, until the list says otherwise. */
  readonly self: string;
  /** Unique for each process: a member that answers with it is this one under another name. */
  readonly instance: string;
  readonly list: MemberList;
  readonly seals: Seals;
  /** Whether all members have one store. Default: each has its own. */
  readonly hasOneStore?: boolean;
  /** Certificates for connections between members. Default: plain HTTP, proven by the key. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly events?: Partial<FleetEvents>;
  readonly clock?: Clock;
}

/** This process among the replicas that share its upstreams. */
export interface Fleet {
  readonly members: Members;
  /** The upstream, asked by the owner of each piece of content for the whole fleet. */
  joined(upstream: Upstream): Upstream;
  /** What this process says of itself. */
  pong(): Pong;
  /** Follows the list and pings the members. */
  start(): void;
  /** A member told something: who follows the news learns of it. */
  told(news: MemberNews): void;
  /** Calls back for what members tell. */
  follow(listener: (news: MemberNews) => void): void;
  /** Tells all other members, soon. */
  tell(news: MemberNews): void;
  /** From now on new work goes to others. Resolves once they were told, within 2 s. */
  leave(): Promise<void>;
  close(): void;
}

const connectTimeoutMs = 2_000;

/** Asks nothing before `start`. */
export function createFleet(options: FleetOptions): Fleet {
  const { list, seals, tls, events, instance, hasOneStore = false } = options;
  const clock = options.clock === undefined ? {} : { clock: options.clock };
  const members = new Members({ ...options, changed: (live) => events?.membersChanged?.({ live }) });
  const downloads = createDownloads();
  // Addresses of members come and go, so their authority counts, which issues for members only.
  const trust = { rejectUnauthorized: true, checkServerIdentity: () => undefined };
  const line: ConnectOptions = { tls: { ...tls, ...trust }, connectTimeoutMs };
  const client = createMemberClient({
    ...{ downloads, line, isTls: tls !== undefined, seals, ...clock },
    received: (bytes) => events?.memberBytes?.({ direction: 'received', bytes }),
  });
  const news = new News({ members, client, ...clock });
  const listeners: ((news: MemberNews) => void)[] = [];
  const heartbeat = new Heartbeat({ members, ping: client.ping, instance, ...clock });
  return {
    members,
    joined: (upstream) => byOwner({ upstream, members, client, hasOneStore, ...(events && { events }) }),
    pong: () => ({ instance, isLeaving: members.isLeaving }),
    start() {
      list.follow((listed) => members.listed(listed));
      void heartbeat.run();
    },
    told(told) {
      if (told.kind === 'leaving') members.gone(told.member);
      for (const listener of listeners) listener(told);
    },
    follow: (listener) => void listeners.push(listener),
    tell: (told) => news.tell(told),
    async leave() {
      members.leave();
      await news.now([{ kind: 'leaving', member: members.self }]);
    },
    close() {
      heartbeat.close();
      list.close();
      downloads.close();
    },
  };
}
