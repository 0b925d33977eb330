import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { builtBefore } from '../../test/e2e/go-programs.ts';
import { freePort } from '../../test/support/program.ts';
import type { Programs } from './programs.ts';

/** A real S3 server, in a process of its own. */
export interface Gateway {
  readonly endpoint: string;
  /** Makes an empty bucket, and gives its name. */
  bucket(): Promise<string>;
  stop(): Promise<void>;
}

/** As the configurations of the peers have them. */
const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' } as const;

/** versitygw over a folder. Throws where it is not built. */
export async function versitygw(programs: Programs, directory: string): Promise<Gateway> {
  const command = builtBefore('versitygw');
  if (command === undefined) throw new Error('versitygw is not built: npm run e2e -- --prepare');
  const [data, sidecar] = [join(directory, 's3-data'), join(directory, 's3-metadata')];
  await Promise.all([data, sidecar].map((folder) => mkdir(folder, { recursive: true })));
  const port = await freePort();
  const program = await programs.start({
    ...{ name: 'versitygw', command, port },
    args: ['--port', `127.0.0.1:${port}`, 'posix', '--sidecar', sidecar, data],
    env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  let buckets = 0;
  return {
    endpoint,
    async bucket() {
      buckets += 1;
      const Bucket = `bench-${buckets}`;
      await client.send(new CreateBucketCommand({ Bucket }));
      return Bucket;
    },
    async stop() {
      client.destroy();
      await program.stop();
    },
  };
}
