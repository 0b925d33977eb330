import { lasting } from '../../base/flow/lasting.ts';
import { defined } from '../../base/text/defined.ts';
import { ContentMismatch, type Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { CacheEvents, FillName } from '../events.ts';
import { Fill, type FillOptions } from './fill.ts';
import type { Spool } from './spool.ts';

/**
 * The downloads under way: one for each upstream and digest. Bytes are unverified while they come,
 * so that only readers of the same upstream share them; what proved right is in the store, for all.
 */
export interface Fills {
  find(upstream: string, digest: Digest): JoinedFill | undefined;
  /** What is downloaded now. */
  digests(): readonly Digest[];
  /** The same with how far each has come, the oldest first. */
  running(): readonly RunningFill[];
  /** True while any upstream delivers that digest. */
  isRunning(digest: Digest): boolean;
  /** Joins the download of that digest from that upstream, or begins it. */
  joinOrStart(start: FillStart): JoinedFill;
  /** Resolves when every download that runs now has ended. */
  settled(): Promise<void>;
  /** Gives every download up, and resolves when they have ended. */
  abort(): Promise<void>;
}

export interface FillStart extends Pick<FillOptions, 'digest' | 'size' | 'origin'> {
  readonly upstream: string;
  /** Where the upstream is asked for it. */
  readonly repository: Repository;
  /** The request that begins it. */
  readonly requestId?: string | undefined;
}

interface JoinedFill {
  readonly fill: Fill;
  /** Where the upstream is asked for it: that of the caller who began it. */
  readonly repository: Repository;
  readonly isNew: boolean;
}

/** A download under way, for people. */
type RunningFill = FillName &
  Fill['progress'] & {
    readonly repository: Repository;
    /** Requests that began or joined it. */
    readonly requests: number;
    /** The member of the fleet that downloads it; undefined for the upstream itself. */
    readonly followed: string | undefined;
  };

interface FillsOptions {
  readonly spool: Spool;
  readonly store: CachedBlobs;
  readonly events: CacheEvents;
  /** Whether what that member downloads is stored by it for this process too. Default: false. */
  readonly isStoredBy?: FillOptions['isStoredBy'];
  /** What was downloaded is in the store, and was checked on its way there. */
  readonly stored?: (descriptor: Descriptor) => void;
}

/** No downloads yet. */
export function createFills({ spool, store, events, stored, isStoredBy }: FillsOptions): Fills {
  const running = new Map<string, JoinedFill & FillName & { requests: number }>();
  const keyOf = (upstream: string, digest: Digest): string => `${upstream} ${digest}`;
  const storeFailed = (error: unknown): void => events.storeFailed({ operation: 'write', error });

  const started = ({ upstream, repository, requestId, ...start }: FillStart): JoinedFill => {
    const { digest } = start;
    events.fillStarted({ upstream, digest });
    const key = keyOf(upstream, digest);
    const begun = {
      fill: lasting(
        events.fillStarting,
        { upstream, digest, repository },
        () => new Fill({ ...start, spool, store, storeFailed, ...defined({ isStoredBy }) }),
      ),
      repository,
      isNew: true,
    };
    running.set(key, { ...begun, upstream, digest, isNew: false, requests: 1 });
    ended(begun.fill, key, { upstream, digest, requestId }).catch(storeFailed);
    return begun;
  };

  /** Whatever `stored` throws: a download that stays here is joined by every later pull. */
  const ended = async (
    done: Fill,
    key: string,
    name: FillName & Pick<FillStart, 'requestId'>,
  ): Promise<void> => {
    const outcome = await done.settled;
    const descriptor = outcome === 'stored' ? await done.opened : undefined;
    try {
      if (descriptor !== undefined) stored?.(descriptor);
    } finally {
      running.delete(key);
      const { upstream } = name;
      // A member of the fleet that sends wrong bytes says nothing of the upstream.
      if (done.failure instanceof ContentMismatch && done.followed === undefined)
        events.wrongContent?.({ upstream, kind: 'blob' });
      events.fillEnded({ ...name, outcome, error: done.failure, ...defined({ bytes: descriptor?.size }) });
    }
  };
  const settled = async (): Promise<void> => {
    await Promise.all([...running.values()].map(({ fill }) => fill.settled));
  };
  return {
    find: (upstream, digest) => running.get(keyOf(upstream, digest)),
    digests: () => Array.from(running.values(), ({ digest }) => digest),
    running: () =>
      Array.from(running.values(), ({ fill, upstream, digest, repository, requests }) => ({
        ...{ upstream, digest, repository, requests, followed: fill.followed },
        ...fill.progress,
      })),
    isRunning: (digest) => running.values().some((each) => each.digest === digest),
    joinOrStart(start) {
      const found = running.get(keyOf(start.upstream, start.digest));
      if (found === undefined) return started(start);
      events.joined({ upstream: start.upstream, digest: start.digest });
      found.requests += 1;
      return found;
    },
    settled,
    async abort() {
      for (const { fill } of running.values()) fill.abort();
      await settled();
    },
  };
}
