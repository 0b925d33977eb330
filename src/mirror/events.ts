import type { LastingEvent } from '../base/flow/lasting.ts';

/** One image on its way, as pull specs. */
interface ImageMove {
  readonly source: string;
  readonly destination: string;
}

/** What the mirror reports to be counted, or followed. */
export interface MirrorEvents {
  /** A task is tried. `cause`: what asked for it, as `MissEvents.missCause` said. */
  mirroring?: LastingEvent<
    ImageMove & {
      readonly owner: string;
      /** Tries before this one. */
      readonly attempts: number;
      readonly cause: string | undefined;
    }
  >;
  /** An image is copied for a task, or what it replaces is backed up. */
  copying?: LastingEvent<ImageMove>;
  /** One attempt to copy an image is over. */
  imageMirrored(event: { readonly state: 'success' | 'failure'; readonly seconds: number }): void;
  /** How many tasks wait to be copied. */
  mirrorQueueChanged(event: { readonly waiting: number }): void;
}

/** Events of the controller's own queue, in the terms of the original's library. */
export interface WorkqueueEvents {
  workqueueAdded(): void;
  workqueueRetried(): void;
  /** How many requests wait to be looked at. */
  workqueueChanged(event: { readonly depth: number }): void;
  /** From being added to being begun. */
  workqueueStarted(event: { readonly waitedSeconds: number }): void;
  workqueueEnded(event: { readonly seconds: number }): void;
}
