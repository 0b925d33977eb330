import type { Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { CacheEvents } from './events.ts';
import { type Fill, type FillOptions, fill } from './fill.ts';
import type { Spool } from './spool.ts';
import type { CachedBlobs } from './store/store.ts';

/** The downloads under way, at most one a digest. */
export interface Fills {
  find(digest: Digest): JoinedFill | undefined;
  /** Joins the download of that digest, or begins it. */
  joinOrStart(start: FillStart): JoinedFill;
  /** Resolves when every download that runs now has ended. */
  settled(): Promise<void>;
  /** Gives every download up, and resolves when they have ended. */
  abort(): Promise<void>;
}

export interface FillStart extends Pick<FillOptions, 'digest' | 'size' | 'origin'> {
  /** Whose download it is, as text: the upstream and repository that it is asked of. */
  readonly from: string;
}

export interface JoinedFill {
  readonly fill: Fill;
  /** Where it comes from: not the caller's own place when another repository began it. */
  readonly from: string;
  readonly isNew: boolean;
}

export interface FillsOptions {
  readonly spool: Spool;
  readonly store: CachedBlobs;
  readonly events: CacheEvents;
  /** What was downloaded is in the store, and was checked on its way there. */
  readonly stored?: (descriptor: Descriptor) => void;
}

/** No downloads yet. */
export function fills({ spool, store, events, stored }: FillsOptions): Fills {
  const running = new Map<Digest, JoinedFill>();
  const storeFailed = (error: unknown): void => events.storeFailed({ operation: 'write', error });

  const started = ({ from, ...start }: FillStart): JoinedFill => {
    events.fillStarted();
    const begun = { fill: fill({ ...start, spool, store, storeFailed }), from, isNew: true };
    running.set(start.digest, { ...begun, isNew: false });
    void ended(begun.fill, start.digest);
    return begun;
  };

  const ended = async (done: Fill, digest: Digest): Promise<void> => {
    const outcome = await done.settled;
    if (outcome === 'stored') stored?.(await done.opened);
    running.delete(digest);
    events.fillEnded({ outcome });
  };
  const settled = async (): Promise<void> => {
    await Promise.all([...running.values()].map(({ fill }) => fill.settled));
  };
  return {
    find: (digest) => running.get(digest),
    joinOrStart(start) {
      const found = running.get(start.digest);
      if (found === undefined) return started(start);
      events.joined();
      return found;
    },
    settled,
    async abort() {
      for (const { fill } of running.values()) fill.abort();
      await settled();
    },
  };
}
