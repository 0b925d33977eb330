// Room `predecessors/outputs`: log lines, metrics and /api/health of qci-appci and
// ci-images-mirror. In: events of ours. Out: the words that their dashboards know. Outside,
// app/app.ts, app/server.ts, app/mirror/service.ts and cli/commands/commands.ts name the folder;
// the setting log.qciAppci and the strconv text of proxy/operators/mirror-api.ts would go with it.
// Imports: base, proxy/access, proxy/http, telemetry, telemetry/metrics; types of auth/clusters,
// mirror, upstream.

import type { LogMirror, MirrorFields, Notices } from '../../mirror/log.ts';
import type { Log } from '../../telemetry/log.ts';

/** One line in the words of `ci-images-mirror`, for existing queries and alerts. */
export interface MirrorLine {
  readonly level: Notices[keyof Notices];
  readonly message: string;
  readonly fields: MirrorFields;
}

/** Every message. Fields are those of the original; where we say more, they come after. */
const messages: { readonly [What in keyof Notices]: readonly [Notices[What], string] } = {
  loadingConfig: ['info', 'Loading config ...'],
  configLoadedRecently: ['info', 'Skip loading config as it was loaded recently'],
  configFailed: ['error', 'Failed to reload config'],
  ignoredSource: ['info', 'Ignored source'],
  unlisted: ['info', 'No longer configured, skipping mirror'],
  supplementalStarted: ['info', 'Mirroring supplemental CI images ...'],
  supplementalFailed: ['error', 'Failed to mirror supplemental CI images'],
  artFailed: ['error', 'Failed to mirror ART images'],
  artWithoutCluster: [
    'warn',
    'artImages selects nothing: the settings name no cluster whose image streams are read (mirror.imageStreams)',
  ],
  qciToAppCiStarted: ['info', 'Mirroring QCI images to app.ci ...'],
  qciToAppCiFailed: ['error', 'Failed to mirror QCI images to app.ci'],
  targetUnknown: ['warn', 'Failed to get target image info, will attempt mirror'],
  sourceUnknown: ['warn', 'Failed to get source image info, will attempt mirror'],
  qciUnknown: ['warn', 'Failed to get QCI image info, skipping'],
  appCiUnknown: ['warn', 'Failed to get app.ci image info, will attempt mirror'],
  sourceAbsent: ['info', 'Source image does not exist, skipping mirror'],
  inSync: ['debug', 'Image already in sync, skipping'],
  needsSync: ['info', 'Image needs sync'],
  inputsRead: ['info', 'Configs reloaded'],
  inputsFailed: ['error', 'Failed to reload configs'],
  inputFaulty: [
    'warn',
    'Cannot read a ci-operator configuration or step; the images that it uses are unknown',
  ],
  stepsUnknown: ['warn', 'Tests refer to missing steps; the images that those use are unknown'],
  reconcileStarted: ['info', 'Starting reconciliation'],
  reconciled: ['info', 'Finished reconciliation'],
  reconcileFailed: ['error', 'Reconciliation failed'],
  imageStreamTagAbsent: ['debug', 'Source imageStreamTag not found'],
  skippedSchema1: ['info', 'Skip mirroring image with manifest v1'],
  skippedInvalidV2: ['info', 'Skip mirroring image with invalid manifest v2'],
  appCiSourceAbsent: ['debug', 'Source image does not exist in app.ci, skipping mirror'],
  mirroring: ['info', 'Mirroring'],
  ageUnknown: ['info', 'Cannot read when the target image was built'],
  upToDate: ['debug', 'Image is up to date'],
  targetKept: ['info', 'Image exists already; a miss does not overwrite it'],
  waiting: ['debug', 'Waiting for mirror tasks ...'],
  invalidTask: ['warn', 'Skipped an invalid mirror task: both source and destination must be set'],
  dropped: ['info', 'An operator dropped a mirror task'],
  held: ['info', 'Held by an operator, skipping mirror'],
  holdSet: ['info', 'An operator holds an image: the mirror does not overwrite it'],
  holdReleased: ['info', 'An operator released an image to the mirror'],
  mirrorStarted: ['info', 'Mirroring ...'],
  mirrored: ['info', 'Mirrored successfully'],
  attachmentFailed: ['warn', 'Cannot copy a signature or attestation; the image is copied without it'],
  mirrorFailed: ['error', 'Failed to mirror'],
  mirrorGivenUp: ['error', 'Failed to mirror even with retries'],
  commandSucceeded: ['debug', 'Running command succeeded.'],
  commandFailed: ['debug', 'Running command failed.'],
  serving: ['info', 'serving'],
  storeFailed: ['warn', 'Cannot write the mirror queue to the store; retrying'],
};

/** Writes the mirror's lines at every level: readers of the original rely on them. */
export function mirrorWriter(log: Log): (line: MirrorLine) => void {
  const own = log.child({ component: 'ci-images-mirror' }, { level: 'trace' });
  return ({ level, fields, message }) => own[level](fields, message);
}

/** Logs events. `subcomponent` is a part of the mirror. Errors keep only their message. */
export function mirrorLog(write: (line: MirrorLine) => void, subcomponent?: string): LogMirror {
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
