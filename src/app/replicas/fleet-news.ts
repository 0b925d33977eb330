import type { Attempts } from '../../auth/attempts.ts';
import type { CacheEvents } from '../../cache/events.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { DiskTierEvents } from '../../store/disk-tier/events.ts';
import type { KeptFiles } from '../../store/disk-tier/kept-files.ts';
import type { Upstream, UpstreamEvents } from '../../upstream/upstream.ts';
import { Forgetting } from './forgetting.ts';
import type { AllMembers } from './members.ts';

/** The same events, and other members are told of tags that moved, and of what all can read now. */
export function cacheTold<Events extends CacheEvents>(
  events: Events,
  fleet: AllMembers | undefined,
  hasOneStore: boolean,
): Events {
  if (fleet === undefined) return events;
  return {
    ...events,
    tagMoved: (event) => fleet.tell({ kind: 'moved', ...event }),
    blobStored({ digest, size }) {
      if (hasOneStore) fleet.tell({ kind: 'stored', digest, size });
    },
  };
}

/** The same events, and other members are told of breakers that open or close, and of pauses. */
export function breakersTold<Events extends UpstreamEvents>(
  events: Events,
  fleet: AllMembers | undefined,
): Events {
  if (fleet === undefined) return events;
  return {
    ...events,
    throttled(event) {
      events.throttled?.(event);
      const { upstream, kind: of, seconds } = event;
      fleet.tell({ kind: 'throttled', upstream, of, seconds });
    },
    breakerChanged(event) {
      events.breakerChanged(event);
      const { upstream, state } = event;
      if (state !== 'half-open') fleet.tell({ kind: 'breaker', upstream, isOpen: state === 'open' });
    },
  };
}

/** The same events, and other workers are told of copies on the disk that they share. */
export function copiesTold<Events extends DiskTierEvents>(
  events: Events,
  fleet: () => AllMembers | undefined,
): Events {
  return { ...events, copyChanged: (event) => fleet()?.tellWorkers({ kind: 'copy', ...event }) };
}

type ToldUpstream = Pick<Upstream, 'name' | 'breakerElsewhere' | 'pausedElsewhere'>;

interface NewsParts {
  /** The copies on the disk before the bucket. Default: there is none. */
  readonly files: Pick<KeptFiles, 'noted'> | undefined;
  readonly fleet: AllMembers | undefined;
  readonly cache: Pick<CacheContext, 'tags' | 'medium' | 'store'>;
  readonly upstreams: () => readonly ToldUpstream[];
  readonly access: { forget(): void };
  readonly attempts: Attempts;
  readonly events: CacheEvents;
  /** The mirror in force. Default: there is none. */
  readonly mirror?: () => { look(): void } | undefined;
}

/** Does what other members tell. Out: the order to forget, for all replicas on the store. */
export function fleetNews(parts: NewsParts): Forgetting {
  const { fleet, cache, upstreams, access, attempts, files, events, mirror } = parts;
  const forgetting = new Forgetting({
    records: cache.medium.records,
    forget: access.forget,
    ...(fleet && { tell: () => fleet.tell({ kind: 'forget' }) }),
    failed: (operation, error) => events.storeFailed({ operation, error }),
  });
  const upstream = (name: string): ToldUpstream | undefined => upstreams().find((each) => each.name === name);
  fleet?.follow((news) => {
    switch (news.kind) {
      case 'copy':
        return files?.noted(news.digest, news.size);
      case 'moved':
        return cache.tags.outdate(news, news.tag, news.digest);
      case 'stored':
        return cache.store.learned?.(news);
      case 'breaker':
        return upstream(news.upstream)?.breakerElsewhere?.(news.isOpen);
      case 'throttled':
        return upstream(news.upstream)?.pausedElsewhere?.({ kind: news.of, seconds: news.seconds });
      case 'failed-login':
        return attempts.failedElsewhere(news.address, news.token);
      case 'released':
        return news.lease === 'mirror' ? mirror?.()?.look() : undefined;
      case 'forget':
        return access.forget();
      default:
        return undefined;
    }
  });
  return forgetting;
}
