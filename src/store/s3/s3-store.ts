// Room `store/s3`: blobs and records in a bucket. In: verified bytes. Out: objects that appear
// whole or not at all. Imports: base, oci, store, store/s3/bucket; types of upstream,
// upstream/download.

import type { Downloads } from '../../upstream/download/downloads.ts';
import { blobsPrefix } from '../keys.ts';
import { type Store, storeOutage } from '../store.ts';
import { S3Breaker, type S3BreakerOptions } from './bucket/s3-breaker.ts';
import { createS3Bucket } from './bucket/s3-bucket.ts';
import { createS3Calls, type S3ClientOptions } from './bucket/s3-client.ts';
import { createS3Uploads, type Uploads } from './bucket/s3-uploads.ts';
import { shareTime } from './bucket/signing-time.ts';
import { type S3Blobs, type S3BlobsOptions, s3Blobs } from './s3-blobs.ts';
import { createS3Probe } from './s3-probe.ts';
import { type BodyLimits, createS3Records } from './s3-records.ts';

export interface S3StoreOptions
  extends S3ClientOptions,
    S3BlobsOptions,
    Partial<BodyLimits>,
    Omit<S3BreakerOptions, 'probe' | 'events'> {
  /** Another process's unfinished upload is aborted at this age, in ms. Default 24 hours. */
  readonly staleUploadMs?: number;
  /** How bodies of blobs are read; closed with the store. Default: by `node:http`. */
  readonly downloads?: Downloads;
}

interface S3Store extends Store {
  readonly blobs: S3Blobs;
}

/**
 * A store in a bucket of any S3-compatible server, laid out as keys.ts draws it below the prefix.
 * The credentials need Get, Put, Delete and List on it, and what multipart uploads need; without
 * List a missing object looks like a forbidden one. Bodies are read through connections of their
 * own, so that slow readers who hold all of them hold up nothing else. An S3 that does not answer
 * is left alone: see S3Breaker.
 */
export function createS3Store(options: S3StoreOptions): S3Store {
  const { leastBytesPerSecond = 32 * 1024, stallMs = 3_000 } = options;
  const limits = { leastBytesPerSecond, stallMs };
  const probing = createS3Probe(options, limits, storeOutage(options.events));
  const breaker = new S3Breaker({ ...options, probe: probing.probe });
  const calls = createS3Calls(options, breaker);
  const { downloads } = options;
  const { credentials } = calls.client.config;
  const reading = createS3Calls(options, breaker, downloads && { downloads, credentials });
  shareTime([calls.client, reading.client, probing.client]);
  const bucket = createS3Bucket(calls);
  const uploads = createS3Uploads(calls);
  const running = new Set<string>();
  const staleMs = options.staleUploadMs ?? 24 * 60 * 60 * 1000;
  return {
    kind: 's3',
    blobs: s3Blobs(
      { breaker, bucket, readers: createS3Bucket(reading), uploads, running },
      { ...options, ...limits },
    ),
    records: createS3Records(bucket, limits),
    isUsable: () => breaker.isUsable(),
    sweep: ({ signal } = {}) => sweep(uploads, running, staleMs, signal),
    close: async () => {
      breaker.close();
      for (const { client } of [calls, reading, probing]) client.destroy();
      downloads?.close();
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
