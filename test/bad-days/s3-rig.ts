import { join } from 'node:path';
import type { Test } from 'tap';
import { blobKey } from '../../src/store/keys.ts';
import { until } from '../support/bodies.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { type S3Double, s3Double } from '../support/s3-double.ts';
import { type BadDay, badDay, isPulled, temporary } from './rig.ts';

interface S3RigOptions {
  readonly s3?: S3Double;
  readonly rig?: BadDay;
  readonly disk?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * The service with its store in S3, over the S3 and the registry of another one where there is one,
 * and behind a disk where there is a directory for it.
 * Without a time for S3's first byte it waits for S3, and its clients for it, however long that
 * takes: a busy machine is no S3 that is slow.
 */
export async function overS3(
  t: Test,
  { s3: given, rig, disk, env }: S3RigOptions = {},
  firstByteTimeoutMs?: string,
) {
  const s3 = given ?? (await s3Double());
  if (given === undefined) t.teardown(() => s3.close());
  const directory = await temporary(t, { id: 'AKIDEXAMPLE', key: 'a-secret-key' });
  const store = {
    ...(disk === undefined ? {} : { disk: { path: disk } }),
    s3: {
      bucket: 'blobs',
      endpoint: s3.endpoint,
      pathStyle: true,
      partBytes: '5MiB',
      firstByteTimeoutMs: firstByteTimeoutMs ?? '60s',
      accessKeyIdFile: join(directory, 'id'),
      secretAccessKeyFile: join(directory, 'key'),
    },
  };
  const spool = disk === undefined ? { path: join(directory, 'spool') } : {};
  const settings = { store, spool };
  const options = {
    settings,
    ...(env === undefined ? {} : { env }),
    ...(rig === undefined ? {} : { double: rig.double }),
    ...(firstByteTimeoutMs === undefined ? { clock: createManualClock() } : {}),
  };
  return { s3, rig: await badDay(t, options) };
}

/** Resolves once the whole image is in S3, and no download of it is read from any more. */
export async function stored({ s3, rig }: { readonly s3: S3Double; readonly rig: BadDay }): Promise<void> {
  await isPulled(rig);
  const digests = [rig.image.digest, rig.image.config, rig.layer.digest];
  const isThere = (key: string) => [...s3.objects.keys()].some((each) => each.endsWith(key));
  await until(() => digests.every((digest) => isThere(blobKey(digest))), 'the image in S3');
  await until(async () => (await rig.metrics()).includes('quayside_fills_running 0'), 'the end of the fills');
}
