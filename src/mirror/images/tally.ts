import type { CopyError, FailureClass } from '../failure.ts';
import type { Landing } from './copy-events.ts';
import { type CopiedImage, destinationText, type ImageCopy, sourceText } from './image-copy.ts';

interface CopyFailure {
  readonly image: ImageCopy;
  /** Pull specs. */
  readonly source: string;
  readonly destination: string;
  readonly kind: FailureClass;
  readonly reason: string;
}

/** What a run did so far. */
export interface CopyReport {
  readonly images: Readonly<Record<CopiedImage['outcome'] | 'failed', number>>;
  /** Each blob once a destination repository. */
  readonly blobs: Readonly<Record<Landing | 'failed', number>>;
  /** Skipped layers with `urls` of their own, each once per destination repository. */
  readonly foreignSkipped: number;
  /** Of the blobs that were copied. */
  readonly bytes: number;
  readonly seconds: number;
  readonly failures: readonly CopyFailure[];
}

/** The counters of a run. */
export interface Tally {
  imageDone(copied: CopiedImage): void;
  imageFailed(image: ImageCopy, failure: CopyError): void;
  /** `place` names blob and repository; a success after a failure cancels the failure. */
  blobDone(place: string, outcome: Landing | 'failed'): void;
  /** `place` as for a blob. */
  foreignSkipped(place: string): void;
  sent(bytes: number): void;
  report(): CopyReport;
}

/** Counters at zero; `now` in milliseconds. */
export function createTally(now: () => number): Tally {
  const startedAt = now();
  const images = { copied: 0, unchanged: 0, filtered: 0 };
  const blobs = { copied: 0, mounted: 0, present: 0 };
  const failedBlobs = new Set<string>();
  const skippedBlobs = new Set<string>();
  const failures: CopyFailure[] = [];
  let bytes = 0;
  return {
    imageDone({ outcome }) {
      images[outcome] += 1;
    },
    imageFailed(image, { kind, message }) {
      failures.push({
        image,
        source: sourceText(image),
        destination: destinationText(image),
        kind,
        reason: message,
      });
    },
    blobDone(place, outcome) {
      if (outcome === 'failed') {
        failedBlobs.add(place);
      } else {
        failedBlobs.delete(place);
        blobs[outcome] += 1;
      }
    },
    foreignSkipped(place) {
      skippedBlobs.add(place);
    },
    sent(count) {
      bytes += count;
    },
    report: () => ({
      images: { ...images, failed: failures.length },
      blobs: { ...blobs, failed: failedBlobs.size },
      foreignSkipped: skippedBlobs.size,
      bytes,
      seconds: (now() - startedAt) / 1_000,
      failures: [...failures],
    }),
  };
}
