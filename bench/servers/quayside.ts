import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './programs.ts';
import type { Ground, Server } from './server.ts';

/** The S3 in place of the file system. */
export interface S3Settings {
  readonly endpoint: string;
  readonly bucket: string;
  readonly redirect: 'always' | 'never';
}

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));

/** Quayside as an operator starts it: the defaults, one upstream, its log at the default level. */
export async function quayside(ground: Ground, s3?: S3Settings): Promise<Server> {
  const port = await freePort();
  const file = join(ground.directory, 'quayside.yaml');
  const credentials = s3 === undefined ? {} : await credentialFiles(ground.directory);
  const store =
    s3 === undefined
      ? { filesystem: { path: join(ground.directory, 'store') } }
      : { s3: { ...s3, ...credentials, region: 'us-east-1', pathStyle: true } };
  const config = {
    listen: `127.0.0.1:${port}`,
    admin: false,
    store,
    spool: { path: join(ground.directory, 'store', 'spool') },
    defaultUpstream: 'bench',
    upstreams: { bench: { url: ground.upstream, allowPrivateAddresses: true } },
  };
  await writeFile(file, JSON.stringify(config, undefined, 2));
  const program = await ground.programs.start({
    name: 'quayside',
    command: process.execPath,
    args: [entry, 'serve', '--config', file],
    port,
  });
  return { name: 'quayside', origin: `http://127.0.0.1:${port}`, pid: program.pid, stop: program.stop };
}

async function credentialFiles(directory: string): Promise<Record<string, string>> {
  const accessKeyIdFile = join(directory, 'access-key-id');
  const secretAccessKeyFile = join(directory, 'secret-access-key');
  await writeFile(accessKeyIdFile, 'bench', { mode: 0o600 });
  await writeFile(secretAccessKeyFile, 'bench-secret', { mode: 0o600 });
  return { accessKeyIdFile, secretAccessKeyFile };
}
