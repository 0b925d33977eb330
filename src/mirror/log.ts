/** What a line says beside its message. Never a credential. */
export type MirrorFields = Readonly<Record<string, unknown>>;

/** One line in the words of the program `ci-images-mirror`, for the queries and alerts that know them. */
export interface MirrorLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: MirrorFields;
}

/** Every message, by what it tells of. Fields are those of the original; where we say more, they come after. */
const messages = {
  /** Fields: `file`. */
  loadingConfig: ['info', 'Loading config ...'],
  /** Fields: `file`. */
  configLoadedRecently: ['info', 'Skip loading config as it was loaded recently'],
  /** Fields: `file`, `error`. */
  configFailed: ['error', 'Failed to reload config'],
  /** Fields: `section`, `image` or `ISTagName`, `reason`. */
  ignoredSource: ['info', 'Ignored source'],
  /** Ours. Fields: `owner`, `source`, `target`. A task leaves the queue: the entry that it came from is gone. */
  unlisted: ['info', 'No longer configured, skipping mirror'],

  /** Of `artImagesService` too. */
  supplementalStarted: ['info', 'Mirroring supplemental CI images ...'],
  /** Fields: `error`. */
  supplementalFailed: ['error', 'Failed to mirror supplemental CI images'],
  /** Fields: `error`. */
  artFailed: ['error', 'Failed to mirror ART images'],
  /** Ours. Fields: `file`. Once. */
  artWithoutCluster: [
    'warn',
    'artImages selects nothing: the settings name no cluster whose image streams are read (mirror.imageStreams)',
  ],
  /** Fields: `count`. */
  qciToAppCiStarted: ['info', 'Mirroring QCI images to app.ci ...'],
  /** Fields: `error`. */
  qciToAppCiFailed: ['error', 'Failed to mirror QCI images to app.ci'],
  /** Fields: `source`, `target`, `error`. The image is asked for again an hour later. */
  targetUnknown: ['warn', 'Failed to get target image info, will attempt mirror'],
  /** Fields: `source`, `target`, `error`. In the words of the original, which did not attempt it either. */
  sourceUnknown: ['warn', 'Failed to get source image info, will attempt mirror'],
  /** Fields: `source`, `target`, `error`. */
  qciUnknown: ['warn', 'Failed to get QCI image info, skipping'],
  /** Fields: `source`, `target`, `error`. */
  appCiUnknown: ['warn', 'Failed to get app.ci image info, will attempt mirror'],
  /** Fields: `source`, `target`. */
  sourceAbsent: ['info', 'Source image does not exist, skipping mirror'],
  /** Fields: `source`, `target`, `sourceDigest`, `targetDigest`. */
  inSync: ['debug', 'Image already in sync, skipping'],
  /** Fields: `source`, `target`, `sourceDigest`, `targetDigest`. */
  needsSync: ['info', 'Image needs sync'],

  /** Fields: `duration` in whole seconds, `files`, `keys` that tests use, `added` since the last time. */
  inputsRead: ['info', 'Configs reloaded'],
  /** Fields: `folder`, `error`. What was read before goes on to count. */
  inputsFailed: ['error', 'Failed to reload configs'],
  /** Ours. Fields: `file`, `error`. Once for each content. */
  inputFaulty: [
    'warn',
    'Cannot read a ci-operator configuration or step; the images that it uses are unknown',
  ],
  /** Ours. Fields: `steps`, such as `chain ipi-aws`. Once for each. */
  stepsUnknown: ['warn', 'Tests refer to missing steps; the images that those use are unknown'],

  /** Fields: `request`. */
  reconcileStarted: ['info', 'Starting reconciliation'],
  /** Fields: `request`. */
  reconciled: ['info', 'Finished reconciliation'],
  /** Fields: `request`, `error`. */
  reconcileFailed: ['error', 'Reconciliation failed'],
  /** Fields: `request`. */
  imageStreamTagAbsent: ['debug', 'Source imageStreamTag not found'],
  /** Fields: `request`. */
  skippedSchema1: ['info', 'Skip mirroring image with manifest v1'],
  /** Fields: `request`. */
  skippedInvalidV2: ['info', 'Skip mirroring image with invalid manifest v2'],
  /** Fields: `request`, `source`. */
  appCiSourceAbsent: ['debug', 'Source image does not exist in app.ci, skipping mirror'],
  /** Fields: `currentQuayDigest`, `currentAppCIDigest`, `stale`, `source`, `target`. */
  mirroring: ['info', 'Mirroring'],
  /** Fields: `currentQuayDigest`, `target`. */
  upToDate: ['debug', 'Image is up to date'],
  /** Ours. Fields: `currentQuayDigest`, `currentAppCIDigest`, `source`, `target`. */
  targetKept: ['info', 'Image exists already; a miss does not overwrite it'],

  waiting: ['debug', 'Waiting for mirror tasks ...'],
  /** Fields: `source`, `destination`. */
  invalidTask: ['warn', 'Skipped an invalid mirror task: both source and destination must be set'],
  /** Ours. Fields: `source`, `target`, `state`, and of who asked `client` and `userAgent`. */
  dropped: ['info', 'An operator dropped a mirror task'],
  /** Fields: `pairs`. */
  mirrorStarted: ['info', 'Mirroring ...'],
  /** Fields: `pairs`, `duration` in whole seconds. */
  mirrored: ['info', 'Mirrored successfully'],
  /** Fields: `pairs`, `duration`, `error`. */
  mirrorFailed: ['error', 'Failed to mirror'],
  /** Fields: `pairs`, `error`. Once an image, when it is parked or has failed for minutes. */
  mirrorGivenUp: ['error', 'Failed to mirror even with retries'],
  /** Fields: `args`, `client`, `output`. */
  commandSucceeded: ['debug', 'Running command succeeded.'],
  /** Fields: `args`, `client`, `output`, `error`. */
  commandFailed: ['debug', 'Running command failed.'],

  /** Fields: `path`. */
  serving: ['info', 'serving'],
  /** Ours. Fields: `operation`, `error`. */
  storeFailed: ['warn', 'Cannot write the mirror queue to the store; retrying'],
} as const satisfies Readonly<Record<string, readonly [MirrorLine['level'], string]>>;

/** Tells of one thing that happened. */
export type Tell = (what: keyof typeof messages, fields?: MirrorFields) => void;

/**
 * Tells in lines. `subcomponent` is the part of the mirror that speaks, such as `supplementalCIImagesService`. An `error` is reduced to
 * what it says.
 */
export function mirrorLog(write: (line: MirrorLine) => void, subcomponent?: string): Tell {
  return (what, fields = {}) => {
    const [level, message] = messages[what];
    write({
      level,
      message,
      fields: {
        ...(subcomponent === undefined ? {} : { subcomponent }),
        ...fields,
        ...('error' in fields ? { error: errorText(fields['error']) } : {}),
      },
    });
  };
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
