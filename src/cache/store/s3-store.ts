import { hostname } from 'node:os';
import { blobsPrefix, probeKey } from './keys.ts';
import { type S3BlobsOptions, s3Blobs } from './s3-blobs.ts';
import { type Bucket, s3Bucket } from './s3-bucket.ts';
import { type S3ClientOptions, s3Calls } from './s3-client.ts';
import { s3Records } from './s3-records.ts';
import { s3Uploads, type Uploads } from './s3-uploads.ts';
import type { CachedBlobs, Store } from './store.ts';

export interface S3StoreOptions extends S3ClientOptions, S3BlobsOptions {
  /**
   * An unfinished upload that this process does not know is aborted at this age, in milliseconds: it may be of another
   * replica and alive. Default 24 hours.
   */
  readonly staleUploadMs?: number;
}

/** A store that can redirect. */
export interface S3Store extends Store {
  readonly blobs: CachedBlobs & Required<Pick<CachedBlobs, 'redirectUrl'>>;
}

/**
 * A store in a bucket of any S3-compatible server, laid out as keys.ts draws it below the prefix. The credentials need
 * Get, Put, Delete and List on it, and what multipart uploads need; without List a missing object looks like a forbidden one.
 * Bodies are read through connections of their own, so that slow readers who hold all of them hold up nothing else.
 */
export function s3Store(options: S3StoreOptions): S3Store {
  const calls = s3Calls(options);
  const reading = s3Calls(options);
  const bucket = s3Bucket(calls);
  const uploads = s3Uploads(calls);
  const running = new Set<string>();
  const staleMs = options.staleUploadMs ?? 24 * 60 * 60 * 1000;
  return {
    kind: 's3',
    blobs: s3Blobs({ bucket, readers: s3Bucket(reading), uploads, running }, options),
    records: s3Records(bucket),
    isUsable: () => isUsable(bucket),
    sweep: ({ signal } = {}) => sweep(uploads, running, staleMs, signal),
    close: async () => {
      calls.client.destroy();
      reading.client.destroy();
    },
  };
}

async function sweep(
  uploads: Uploads,
  running: ReadonlySet<string>,
  staleMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let swept = 0;
  for await (const upload of uploads.list(blobsPrefix, signal === undefined ? {} : { signal })) {
    if (running.has(upload.id) || Date.now() - upload.startedAt < staleMs) continue;
    await uploads.abort(upload);
    swept += 1;
  }
  return swept;
}

/** Readiness wants an answer soon: retries and long limits are for pulls. */
const probeMs = 5_000;

async function isUsable(bucket: Bucket): Promise<boolean> {
  const key = probeKey(`${hostname()}-${process.pid}`);
  const signal = AbortSignal.timeout(probeMs);
  try {
    await bucket.put(key, Buffer.from('probe'), { signal });
    const found = await bucket.get(key, { signal });
    found?.body.destroy();
    await bucket.delete(key);
    return found !== undefined;
  } catch {
    return false;
  }
}
