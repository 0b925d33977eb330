import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../fronts/listening.ts';
import { BesideProgram } from './beside-program.ts';

/** An S3 server over a folder, whose objects are files. */
export interface BucketServer {
  readonly url: string;
  /** The bucket's objects, by their keys. */
  readonly folder: string;
  readonly child: BesideProgram;
}

const bucket = 'quayside';
const accessKey = { id: 'drill', secret: 'the-secret-key-of-the-drill' } as const;

/** Starts versitygw with an empty bucket. `program`: its path. */
export async function createBucketServer(
  folder: string,
  program: string,
  signal: AbortSignal,
): Promise<BucketServer> {
  const data = join(folder, 's3-data');
  const sidecar = join(folder, 's3-metadata');
  // A folder on top is a bucket.
  await mkdir(join(data, bucket), { recursive: true });
  await mkdir(sidecar);
  const port = await freePort();
  const child = new BesideProgram({
    command: program,
    args: ['--port', `127.0.0.1:${port}`, 'posix', '--sidecar', sidecar, data],
    log: join(folder, 'versitygw.log'),
    signal,
    env: { ROOT_ACCESS_KEY: accessKey.id, ROOT_SECRET_KEY: accessKey.secret },
  });
  child.start();
  await child.listens(port);
  return { url: `http://127.0.0.1:${port}`, folder: join(data, bucket), child };
}

/** The section `store` of a replica that finds the bucket at this URL. */
export async function bucketSettings(folder: string, endpoint: string): Promise<object> {
  const [accessKeyIdFile, secretAccessKeyFile] = [join(folder, 's3-id'), join(folder, 's3-secret')];
  await writeFile(accessKeyIdFile, accessKey.id, { mode: 0o600 });
  await writeFile(secretAccessKeyFile, accessKey.secret, { mode: 0o600 });
  const s3 = { bucket, region: 'us-east-1', endpoint, pathStyle: true, accessKeyIdFile, secretAccessKeyFile };
  return { s3 };
}
