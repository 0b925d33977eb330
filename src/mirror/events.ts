/** What the mirror reports to be counted. */
export interface MirrorEvents {
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
