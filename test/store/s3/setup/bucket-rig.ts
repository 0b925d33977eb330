import { join } from 'node:path';
import type { Test } from 'tap';
import { createBucketSettings } from '../../../../src/store/s3/bucket/bucket-settings.ts';
import { s3Double } from '../../../support/s3-double.ts';

/** The settings of a bucket, and the server that keeps them. */
export async function bucketRig(t: Test) {
  const s3 = await s3Double();
  const files = t.testdir({ id: 'AKIDEXAMPLE\n', secret: 'a-secret-key\n' });
  const bucket = createBucketSettings({
    bucket: 'quayside',
    endpoint: s3.endpoint,
    pathStyle: true,
    prefix: 'cache',
    accessKeyIdFile: join(files, 'id'),
    secretAccessKeyFile: join(files, 'secret'),
    // A busy machine is no slow S3.
    isPatient: true,
  });
  t.teardown(async () => {
    bucket.close();
    await s3.close();
  });
  return { s3, bucket, operations: () => s3.requests.splice(0).map(({ operation }) => operation) };
}
