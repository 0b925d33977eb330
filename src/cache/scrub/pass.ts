import { type Descriptor, isWrongContent, type StoredBlob, verified } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Store } from '../../store/store.ts';
import { createScrubPace } from './pace.ts';
import { type ScrubProgress, writeProgress } from './progress.ts';

/** What the scrub reports while it works. */
export interface ScrubEvents {
  scrubbed(event: { readonly bytes: number }): void;
  /** A blob was not what its digest says, twice, and was deleted. */
  scrubFoundWrong(event: { readonly digest: Digest; readonly size: number }): void;
  /** The whole store was read. Times are milliseconds since the epoch. */
  scrubEnded(
    event: Pick<ScrubProgress, 'beganAt' | 'blobs' | 'bytes' | 'wrong'> & { readonly endedAt: number },
  ): void;
  /** A run broke off, at that blob where there is one. */
  scrubFailed(event: { readonly error: unknown; readonly digest?: Digest | undefined }): void;
}

export interface PassOptions {
  readonly store: Pick<Store, 'blobs' | 'records'>;
  readonly bytesPerSecond: number;
  /** How many reads by others are open now; the pace is shared with them. */
  readonly openReads: () => number;
  /** Called for each blob that was found right. */
  readonly verified: (descriptor: Descriptor) => void;
  /** Called after each deletion, so that what remembers the content forgets it. */
  readonly deleted: (digest: Digest) => void;
  readonly events: ScrubEvents;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Ends the pass; the next one continues it. */
  readonly signal: AbortSignal;
}

/** A blob could not be read; that says nothing of its bytes, and it stays. */
export class ScrubFailure extends Error {
  override readonly name = 'ScrubFailure';
  readonly digest: Digest;

  constructor(digest: Digest, cause: unknown) {
    super('a stored blob cannot be read', { cause });
    this.digest = digest;
  }
}

/** Progress is written this often, milliseconds; a killed process reads the rest again. */
const saveEveryMs = 30_000;
/** The least that a blob costs of the pace, bytes: a million manifests are as many files. */
const leastBytes = 64 * 1024;

/**
 * Reads every blob from where the progress says, in the order of digests. Resolves to the end of
 * it, which is on record. Throws ScrubFailure, and what failed otherwise, with the progress on
 * record: the next pass goes on behind that blob.
 */
export async function scrubPass(begun: ScrubProgress, options: PassOptions): Promise<ScrubProgress> {
  const { store, clock, signal } = options;
  const check = blobCheck(options);
  let progress = begun;
  let savedAt = clock();

  const save = async (): Promise<void> => {
    savedAt = clock();
    await writeProgress(store.records, progress);
  };

  async function look(blob: StoredBlob): Promise<void> {
    const wrong = await check(blob).catch((error: unknown) => {
      if (signal.aborted) throw error;
      progress = { ...progress, after: blob.digest };
      throw new ScrubFailure(blob.digest, error);
    });
    const { blobs, bytes } = progress;
    progress = {
      ...progress,
      after: blob.digest,
      blobs: blobs + 1,
      bytes: bytes + blob.size,
      wrong: progress.wrong + (wrong ? 1 : 0),
    };
    if (clock() - savedAt >= saveEveryMs) await save();
  }

  try {
    const from = begun.after === undefined ? {} : { after: begun.after };
    for await (const blob of store.blobs.list({ ...from, signal })) await look(blob);
  } catch (error) {
    await save().catch(() => undefined);
    throw error;
  }
  progress = { ...progress, state: 'complete' };
  await save();
  return progress;
}

/** Resolves to true when the blob was wrong and is deleted. */
function blobCheck(options: PassOptions): (blob: StoredBlob) => Promise<boolean> {
  const { store, events, signal } = options;
  const { paced, spend } = createScrubPace({ ...options, others: options.openReads });

  async function isWrong(digest: Digest): Promise<boolean> {
    const content = await store.blobs.open(digest, { signal, isUpkeep: true });
    if (content === undefined) return false;
    try {
      for await (const { byteLength } of paced(verified(content.body, content.descriptor)))
        events.scrubbed({ bytes: byteLength });
      options.verified(content.descriptor);
      return false;
    } catch (error) {
      if (isWrongContent(error)) return true;
      throw error;
    }
  }

  return async ({ digest, size }) => {
    await spend(Math.max(0, leastBytes - size));
    // A second look: the bytes may have been wrong on their way to us, and the next pull may have
    // replaced them.
    if (!(await isWrong(digest)) || !(await isWrong(digest))) return false;
    await store.blobs.delete(digest);
    options.deleted(digest);
    events.scrubFoundWrong({ digest, size });
    return true;
  };
}
