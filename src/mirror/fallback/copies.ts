import { createLru } from '../../base/state/lru.ts';
import { defined } from '../../base/text/defined.ts';
import type { Digest } from '../../oci/digest.ts';
import type { TaskSink } from '../queue/queue.ts';
import type { ImageReference } from '../references/image-reference.ts';
import type { MissSource } from './rule.ts';

interface MissCopiesOptions {
  readonly queue: TaskSink;
  /** How long a queued copy is not queued again while the source's digest stays the same, ms. */
  readonly requeueMs: number;
  /** Copies that are remembered. */
  readonly maxEntries: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** What asks now; see MissEvents. Default: unknown. */
  readonly cause?: () => string | undefined;
}

/** The copies that misses have asked for. */
interface MissCopies {
  /** Queues the copy, unless it just was; returns at once. */
  add(destination: ImageReference, source: MissSource, sourceDigest: Digest): void;
  /** The copy is there, or has nothing to come from any more. */
  forget(destination: string): void;
}

/** No copies yet. */
export function createMissCopies({
  queue,
  requeueMs,
  maxEntries,
  now,
  cause,
}: MissCopiesOptions): MissCopies {
  const queued = createLru<string, Digest>(maxEntries, { keepMs: requeueMs, now });
  return {
    add(destination, { registry, repository, reference, text, sourceTagRef }, sourceDigest) {
      if (queued.get(destination.text) === sourceDigest) return;
      queued.set(destination.text, sourceDigest);
      void queue.put({
        source: { registry, repository, reference, text },
        destination,
        priority: 'miss',
        owner: 'misses',
        fills: true,
        createdAt: now(),
        sourceDigest,
        currentDigest: '',
        ...defined({ sourceTagRef, cause: cause?.() }),
      });
    },
    forget: (destination) => void queued.delete(destination),
  };
}
