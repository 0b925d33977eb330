import { withTimeout } from '../../base/time/wait.ts';
import type { ConditionKind, ConditionSource } from '../../conditions/condition.ts';
import type { Config } from '../../config/load.ts';
import type { BucketCheck } from '../../store/s3/setup/bucket-check.ts';
import type { BucketFinding } from '../../store/s3/setup/bucket-conditions.ts';
import type { StoreEvents } from '../../store/store.ts';
import type { Log } from '../../telemetry/log.ts';

/** The bucket of the store, looked at and not changed. */
export interface ConfiguredBucket {
  /** What is wrong with it at the start, if that is known within 2 s. */
  firstFault(): Promise<{ readonly code: string; readonly message: string } | undefined>;
  readonly sources: readonly ConditionSource[];
  /** How far S3's clock is ahead of ours, milliseconds; undefined before its first answer. */
  skewMs(): number | undefined;
  close(): void;
}

const firstMs = 2_000;
const presenceEveryMs = 5_000;
const settingsEveryMs = 10 * 60_000;
/** While the network gives no answer, milliseconds. */
const againMs = 30_000;

/** What is wrong with the bucket at the start, in words; also in the log, as its first line. */
export async function bucketFault(
  bucket: ConfiguredBucket | undefined,
  log: Pick<Log, 'error'>,
): Promise<string | undefined> {
  const fault = await bucket?.firstFault();
  if (fault !== undefined)
    log.error(fault, 'the bucket of the store does not exist; see quayside bucket ensure');
  return fault?.message;
}

/** Undefined without S3, and with `store.s3.check` off. The SDK is loaded by those who use it. */
export async function configuredBucket(
  { store }: Config,
  events: Partial<StoreEvents>,
): Promise<ConfiguredBucket | undefined> {
  if (!('s3' in store) || !store.s3.check) return undefined;
  const { createBucketSettings } = await import('../../store/s3/bucket/bucket-settings.ts');
  const { createBucketCheck } = await import('../../store/s3/setup/bucket-check.ts');
  const { bucket: name, endpoint, region, prefix, identity } = store.s3;
  const bucket = createBucketSettings({ ...store.s3, events });
  const check = createBucketCheck(bucket, {
    place: `bucket ${name} at ${endpoint ?? `AWS ${region}`}`,
    prefix: prefix === undefined ? '' : `${prefix}/`,
    identity,
  });
  return {
    async firstFault() {
      const presence = check.presence();
      const found = await withTimeout(presence, firstMs, () => undefined);
      if (found === undefined || found[0].status !== 'False') return undefined;
      return { code: found[0].reason, message: found[0].message };
    },
    sources: [presenceSource(check), settingsSource(check)],
    skewMs: () => bucket.skewMs,
    close: () => bucket.close(),
  };
}

const kind = (type: string, effect: ConditionKind['effect'], inertiaMs = 0): ConditionKind => ({
  type,
  effect,
  inertiaMs,
});

function presenceSource(check: BucketCheck): ConditionSource {
  return {
    kinds: [kind('StorageExists', 'needed'), kind('StorageClock', 'degrades', 120_000)],
    everyMs: presenceEveryMs,
    look: () => check.presence(),
  };
}

/** Looks again sooner while S3 does not answer: a bucket may have to be created first. */
function settingsSource(check: BucketCheck): ConditionSource {
  let found: readonly BucketFinding[] = [];
  let nextAt = Number.NEGATIVE_INFINITY;
  return {
    kinds: [
      kind('StorageTagged', 'none'),
      kind('StorageEncrypted', 'none'),
      kind('StoragePublicAccessBlocked', 'none'),
      kind('StorageIncompleteUploadCleanupEnabled', 'none'),
      kind('StorageConditionalWrites', 'degrades'),
    ],
    everyMs: presenceEveryMs,
    async look() {
      if (performance.now() >= nextAt) {
        found = await check.settings();
        nextAt = performance.now() + pauseAfter(found);
      }
      return found;
    },
  };
}

/** A missing bucket may be there at any time; what the network kept back is asked again soon. */
function pauseAfter(found: readonly BucketFinding[]): number {
  if (found.some(({ reason }) => reason === 'NoSuchBucket')) return 0;
  return found.some(({ reason }) => /^(?:E[A-Z]|Timeout)/.test(reason)) ? againMs : settingsEveryMs;
}
