import type { Attempts } from '../../auth/attempts.ts';
import type { CacheEvents } from '../../cache/events.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import { Forgetting } from './forgetting.ts';
import type { AllMembers } from './members.ts';

/** The same events, and other members are told of tags that moved. */
export function movesTold<Events extends CacheEvents>(events: Events, fleet: AllMembers | undefined): Events {
  if (fleet === undefined) return events;
  return { ...events, tagMoved: (event) => fleet.tell({ kind: 'moved', ...event }) };
}

interface NewsParts {
  readonly fleet: AllMembers | undefined;
  readonly cache: Pick<CacheContext, 'tags' | 'medium'>;
  readonly access: { forget(): void };
  readonly attempts: Attempts;
  readonly events: CacheEvents;
}

/** Does what other members tell. Out: the order to forget, for all replicas on the store. */
export function fleetNews({ fleet, cache, access, attempts, events }: NewsParts): Forgetting {
  const forgetting = new Forgetting({
    records: cache.medium.records,
    forget: access.forget,
    ...(fleet && { tell: () => fleet.tell({ kind: 'forget' }) }),
    failed: (operation, error) => events.storeFailed({ operation, error }),
  });
  fleet?.follow((news) => {
    if (news.kind === 'moved') cache.tags.outdate(news, news.tag, news.digest);
    if (news.kind === 'failed-login') attempts.failedElsewhere(news.address, news.token);
    if (news.kind === 'forget') access.forget();
  });
  return forgetting;
}
