import { type CopyRun, type CopyRunOptions, createCopyRun } from '../../src/mirror/copy/run.ts';
import type { ImageCopy } from '../../src/mirror/images/image-copy.ts';
import { parseRepository, parseTag } from '../../src/oci/reference.ts';
import { type MemoryEnd, type Misbehaviours, memoryEnd } from './memory-ends.ts';
import type { MemoryImage } from './memory-images.ts';

export const app = parseRepository('team/app');
export const latest = parseTag('latest');

interface CopyRig {
  readonly source: MemoryEnd;
  readonly destination: MemoryEnd;
  readonly run: CopyRun;
  /** From `team/app:latest` to `team/app:latest`, unless told otherwise. */
  image(overrides?: Partial<ImageCopy>): ImageCopy;
}

/**
 * Two registries in memory, the image as `team/app:latest` in the first one, and a run that never
 * waits.
 */
export function copyRig(
  held: MemoryImage,
  options: {
    readonly source?: Misbehaviours;
    readonly destination?: Misbehaviours;
    readonly run?: CopyRunOptions;
  } = {},
): CopyRig {
  const source = memoryEnd('source.example', options.source);
  const destination = memoryEnd('destination.example', options.destination);
  source.hold(app, held, latest);
  return {
    source,
    destination,
    run: quickRun(options.run),
    image: (overrides = {}) => ({
      source,
      from: { repository: app, reference: { tag: latest } },
      destination,
      to: { repository: app, tag: latest },
      ...overrides,
    }),
  };
}

/** A run whose pauses are over at once. */
export function quickRun(options: CopyRunOptions = {}): CopyRun {
  return createCopyRun({ firstPauseMs: 1, random: () => 0, ...options });
}
