import type { Bytes, Content } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { CachedBlobs } from './store.ts';
import type { StoredFile } from './stored-file.ts';

interface CountedBlobs {
  /** The same store; reads through it are counted. */
  readonly blobs: CachedBlobs;
  /** True from the call of `open` until its content was read to the end, left, or closed. */
  isReading(digest: Digest): boolean;
  /** All that it is true for. */
  digests(): readonly Digest[];
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

  /** What is opened counts until it is closed; what cannot be opened, or is absent, does not. */
  async function during<Opened>(
    digest: Digest,
    open: () => Promise<Opened | undefined>,
    counted: (opened: Opened, ended: () => void) => Opened,
  ): Promise<Opened | undefined> {
    const ended = begun(digest);
    try {
      const opened = await open();
      if (opened !== undefined) return counted(opened, ended);
    } catch (error) {
      ended();
      throw error;
    }
    ended();
    return undefined;
  }

  const { openFile } = blobs;
  return {
    blobs: {
      ...blobs,
      open: (digest, options) => during(digest, () => blobs.open(digest, options), endingWith),
      ...(openFile && { openFile: (digest: Digest) => during(digest, () => openFile(digest), countedFile) }),
    },
    isReading: (digest) => reads.has(digest),
    digests: () => [...reads.keys()],
    get openReads() {
      return openReads;
    },
  };
}

/** The same content; `ended` is told once it was read to the end, left, or closed; maybe twice. */
export function endingWith(content: Content, ended: () => void): Content {
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

function countedFile(file: StoredFile, ended: () => void): StoredFile {
  return {
    ...file,
    close() {
      try {
        file.close();
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
