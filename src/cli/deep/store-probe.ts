import { configuredStore } from '../../app/store.ts';
import { diskFault, spoolFault, storeAdvice, storePlace, unwritableText } from '../../app/store-check.ts';
import { oneLine } from '../../base/text/one-line.ts';
import type { DiskConfig } from '../../config/config.ts';
import type { Config } from '../../config/load.ts';
import { createBufferPool } from '../../store/buffers.ts';
import type { DeepFinding } from './finding.ts';

/** Writes a small probe into the store, reads and deletes it; of a bucket it asks whether it is. */
export async function storeFinding(config: Config): Promise<DeepFinding> {
  const { store } = config;
  const what = 'store';
  if ('memory' in store) return { what, path: ['store'], fine: 'is the memory of the process' };
  const path = 's3' in store ? ['store', 's3'] : ['store', 'filesystem', 'path'];
  const place = storePlace(store);
  const missing = 's3' in store ? await bucketFault(store.s3, place) : undefined;
  if (missing !== undefined) return { what, path, fault: missing };
  let failure: unknown;
  const medium = await configuredStore(config, createBufferPool(), {
    usabilityChanged: ({ error }) => {
      failure = error;
    },
  });
  try {
    return (await medium.isUsable())
      ? { what, path, fine: `${place} takes and returns a probe` }
      : { what, path, fault: `${place} ${unwritableText(failure)}` };
  } finally {
    await medium.close();
  }
}

/** Writes a small file on the disk before the bucket, and deletes it. */
export async function diskFinding({ path }: DiskConfig): Promise<DeepFinding> {
  const fault = await diskFault(path);
  const where = { what: 'disk', path: ['store', 'disk', 'path'] };
  return fault === undefined ? { ...where, fine: `${path} takes a probe` } : { ...where, fault };
}

/** Writes a small file where downloads go, and deletes it. */
export async function spoolFinding({ spool }: Config): Promise<DeepFinding> {
  const fault = await spoolFault(spool.path);
  const where = { what: 'spool', path: ['spool', 'path'] };
  return fault === undefined ? { ...where, fine: `${spool.path} takes a probe` } : { ...where, fault };
}

type BucketConfig = Extract<Config['store'], { readonly s3: unknown }>['s3'];

/** The SDK of S3 is loaded only for a bucket. */
async function bucketFault(s3: BucketConfig, place: string): Promise<string | undefined> {
  const { createBucketSettings } = await import('../../store/s3/bucket/bucket-settings.ts');
  const bucket = createBucketSettings(s3);
  try {
    const found = await bucket.exists();
    if (found.kind === 'is') return undefined;
    if (found.kind === 'none') return `${place} does not exist${storeAdvice('NoSuchBucket')}`;
    return `${place} cannot be used (${found.code}: ${oneLine(found.message, 200)})${storeAdvice(found.code)}`;
  } finally {
    bucket.close();
  }
}
