import { join } from 'node:path';
import type { Test } from 'tap';
import type { Digest } from '../../../src/oci/digest.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { createS3Store, type S3StoreOptions } from '../../../src/store/s3/s3-store.ts';
import { createDownloads } from '../../../src/upstream/download/downloads.ts';
import { type S3Double, type StoredObject, s3Double } from '../../support/s3-double.ts';
import { described, large } from '../store-suite.ts';

export const mib = 1024 * 1024;
export const blob = described(large);

/**
 * An S3 store with small parts and few retries, and the server behind it. It waits as long as it
 * takes, but for a test's own limits: a busy machine is no S3 that is slow.
 */
export async function made(t: Test, options: Partial<S3StoreOptions> = {}) {
  const s3 = await s3Double();
  const files = t.testdir({ id: 'AKIDEXAMPLE\n', secret: 'a-secret-key\n' });
  const store = createS3Store({
    bucket: 'blobs',
    endpoint: s3.endpoint,
    pathStyle: true,
    prefix: 'quayside/one',
    accessKeyIdFile: join(files, 'id'),
    secretAccessKeyFile: join(files, 'secret'),
    partBytes: mib,
    retries: 1,
    firstByteTimeoutMs: 60_000,
    stallMs: 60_000,
    leastBytesPerSecond: 0,
    downloads: createDownloads(),
    ...options,
  });
  t.teardown(async () => {
    await store.close();
    await s3.close();
  });
  return {
    s3,
    store,
    files,
    blobs: store.blobs,
    operations: () => s3.requests.splice(0).map((each) => each.operation),
  };
}

/** An object as another process put it. */
export function stored(bytes: Buffer): StoredObject {
  return { bytes, etag: '"x"', contentType: undefined, writtenAt: new Date() };
}

/** Puts a blob where the store of `made` looks for it, under no limit of that store. */
export function holdBlob({ objects }: S3Double, digest: Digest, bytes: Buffer): void {
  objects.set(`quayside/one/${blobKey(digest)}`, stored(bytes));
}
