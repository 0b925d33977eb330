/** What a line says beside its message. Never a credential. */
export type MirrorFields = Readonly<Record<string, unknown>>;

/** What the mirror tells of, each with its level and its fields. The words are the writer's. */
export interface Notices {
  /** Fields: `file`. */
  loadingConfig: 'info';
  /** Fields: `file`. */
  configLoadedRecently: 'info';
  /** Fields: `file`, `error`. */
  configFailed: 'error';
  /** Fields: `section`, `image` or `ISTagName`, `reason`. */
  ignoredSource: 'info';
  /** Fields: `owner`, `source`, `target`. The entry of a task is gone, and so is the task. */
  unlisted: 'info';

  /** Of `artImagesService` too. */
  supplementalStarted: 'info';
  /** Fields: `error`. */
  supplementalFailed: 'error';
  /** Fields: `error`. */
  artFailed: 'error';
  /** Fields: `file`. Once. */
  artWithoutCluster: 'warn';
  /** Fields: `count`. */
  qciToAppCiStarted: 'info';
  /** Fields: `error`. */
  qciToAppCiFailed: 'error';
  /** Fields: `source`, `target`, `error`. The image is asked for again an hour later. */
  targetUnknown: 'warn';
  /** Fields: `source`, `target`, `error`. In the words of the original. */
  sourceUnknown: 'warn';
  /** Fields: `source`, `target`, `error`. */
  qciUnknown: 'warn';
  /** Fields: `source`, `target`, `error`. */
  appCiUnknown: 'warn';
  /** Fields: `source`, `target`. */
  sourceAbsent: 'info';
  /** Fields: `source`, `target`, `sourceDigest`, `targetDigest`. */
  inSync: 'debug';
  /** Fields: `source`, `target`, `sourceDigest`, `targetDigest`. */
  needsSync: 'info';

  /** Fields: `duration` in seconds, `files`, `keys` that tests use, `added` since the last time. */
  inputsRead: 'info';
  /** Fields: `folder`, `error`. What was read before goes on to count. */
  inputsFailed: 'error';
  /** Fields: `file`, `error`. Once for each content. */
  inputFaulty: 'warn';
  /** Fields: `steps`, such as `chain ipi-aws`. Once for each. */
  stepsUnknown: 'warn';

  /** Fields: `request`. */
  reconcileStarted: 'info';
  /** Fields: `request`. */
  reconciled: 'info';
  /** Fields: `request`, `error`. */
  reconcileFailed: 'error';
  /** Fields: `request`. */
  imageStreamTagAbsent: 'debug';
  /** Fields: `request`. */
  skippedSchema1: 'info';
  /** Fields: `request`. */
  skippedInvalidV2: 'info';
  /** Fields: `request`, `source`. */
  appCiSourceAbsent: 'debug';
  /** Fields: `currentQuayDigest`, `currentAppCIDigest`, `stale`, `source`, `target`. */
  mirroring: 'info';
  /** Fields: `target`, `error`. The task is not marked as stale. */
  ageUnknown: 'info';
  /** Fields: `currentQuayDigest`, `target`. */
  upToDate: 'debug';
  /** Fields: `currentQuayDigest`, `currentAppCIDigest`, `source`, `target`. */
  targetKept: 'info';

  waiting: 'debug';
  /** Fields: `source`, `destination`. */
  invalidTask: 'warn';
  /** Fields: `source`, `target`, `state`, and of who asked `client` and `userAgent`. */
  dropped: 'info';
  /** Fields: `source`, `target`, `reason`. Once a task. */
  held: 'info';
  /** Fields: `target`, `until`, `why`, and of who asked `client` and `userAgent`. */
  holdSet: 'info';
  /** Fields: `target`, and of who asked `client` and `userAgent`. */
  holdReleased: 'info';
  /** Fields: `pairs`. */
  mirrorStarted: 'info';
  /** Fields: `pairs`, `duration` in whole seconds. */
  mirrored: 'info';
  /** Fields: `source`, `target`, `tag`, `error`. The image is copied without it. */
  attachmentFailed: 'warn';
  /** Fields: `pairs`, `duration`, `error`. */
  mirrorFailed: 'error';
  /** Fields: `pairs`, `error`. Once an image, when it is parked or has failed for minutes. */
  mirrorGivenUp: 'error';
  /** Fields: `args`, `client`, `output`. */
  commandSucceeded: 'debug';
  /** Fields: `args`, `client`, `output`, `error`. */
  commandFailed: 'debug';

  /** Fields: `path`. */
  serving: 'info';
  /** Fields: `operation`, `error`. */
  storeFailed: 'warn';
}

/** Tells of one thing that happened. */
export type LogMirror = (what: keyof Notices, fields?: MirrorFields) => void;
