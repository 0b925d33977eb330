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

interface QuaysideOptions {
  /** Default: the file system, below the ground's directory. */
  readonly s3?: S3Settings;
  /** Patterns of the only repositories it may ask for. Default: all. */
  readonly repositories?: readonly string[];
  /**
   * After how many milliseconds the upstream is asked for a tag before it is answered. Default:
   * Quayside's own policy.
   */
  readonly tagsFreshMs?: number;
  /** Settings besides, as in the configuration file. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

const entry = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));

/** Quayside as an operator starts it: its defaults, one upstream, its log at the default level. */
export async function quayside(ground: Ground, options: QuaysideOptions = {}): Promise<Server> {
  const port = await freePort();
  const file = join(ground.directory, 'quayside.yaml');
  await writeFile(file, JSON.stringify(await configuration(ground, port, options), undefined, 2));
  const program = await ground.programs.start({
    name: 'quayside',
    command: process.execPath,
    args: ['--max-semi-space-size=8', entry, 'serve', '--config', file],
    port,
  });
  return { name: 'quayside', origin: `http://127.0.0.1:${port}`, pid: program.pid, stop: program.stop };
}

/** JSON is YAML. */
async function configuration(ground: Ground, port: number, options: QuaysideOptions): Promise<unknown> {
  const { s3, repositories, tagsFreshMs } = options;
  const path = join(ground.directory, 'store');
  return {
    ...options.settings,
    listen: `127.0.0.1:${port}`,
    admin: { listen: false },
    store: s3 === undefined ? { filesystem: { path } } : { s3: await s3Section(s3, ground.directory) },
    spool: { path: join(path, 'spool') },
    ...(tagsFreshMs === undefined ? {} : { tags: { freshMs: tagsFreshMs, refreshBehindMs: 0 } }),
    defaultUpstream: 'origin',
    upstreams: {
      origin: {
        url: ground.upstream,
        allowPrivateAddresses: true,
        ...(repositories === undefined ? {} : { repositories }),
      },
    },
  };
}

async function s3Section(s3: S3Settings, directory: string): Promise<unknown> {
  return { ...s3, ...(await credentialFiles(directory)), region: 'us-east-1', pathStyle: true };
}

async function credentialFiles(directory: string): Promise<Record<string, string>> {
  const accessKeyIdFile = join(directory, 'access-key-id');
  const secretAccessKeyFile = join(directory, 'secret-access-key');
  await writeFile(accessKeyIdFile, 'bench', { mode: 0o600 });
  await writeFile(secretAccessKeyFile, 'bench-secret', { mode: 0o600 });
  return { accessKeyIdFile, secretAccessKeyFile };
}
