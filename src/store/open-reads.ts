import type { Bytes, Content } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { CachedBlobs } from './store.ts';

interface CountedBlobs {
  /** The same store; reads through it are counted. */
  readonly blobs: CachedBlobs;
  /** True from the call of `open` until its content was read to the end, left, or closed. */
  isReading(digest: Digest): boolean;
  readonly openReads: number;
}

/**
 * Counts the reads of a store by digest, so that eviction never deletes content that a slow client
 * still reads. Reads by clients after a redirect are not counted.
 */
export function countedReads(blobs: CachedBlobs): CountedBlobs {
  const reads = new Map<Digest, number>();
  let openReads = 0;

  function begun(digest: Digest): () => void {
    reads.set(digest, (reads.get(digest) ?? 0) + 1);
    openReads += 1;
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      openReads -= 1;
      const left = (reads.get(digest) ?? 1) - 1;
      if (left === 0) reads.delete(digest);
      else reads.set(digest, left);
    };
  }

  return {
    blobs: {
      ...blobs,
      async open(digest, options) {
        const ended = begun(digest);
        try {
          const content = await blobs.open(digest, options);
          if (content !== undefined) return counted(content, ended);
        } catch (error) {
          ended();
          throw error;
        }
        ended();
        return undefined;
      },
    },
    isReading: (digest) => reads.has(digest),
    get openReads() {
      return openReads;
    },
  };
}

function counted(content: Content, ended: () => void): Content {
  return {
    ...content,
    body: endedAfter(content.body, ended),
    async close() {
      try {
        await content.close();
      } finally {
        ended();
      }
    },
  };
}

async function* endedAfter(body: Bytes, ended: () => void): Bytes {
  try {
    yield* body;
  } finally {
    ended();
  }
}
