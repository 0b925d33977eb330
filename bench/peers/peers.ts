/** The servers that the bench compares. Their configurations stand beside this file. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtBefore } from '../../test/e2e/go-programs.ts';
import { freePort } from '../../test/support/program.ts';
import { findProgram } from '../servers/programs.ts';
import type { Ground, Server } from '../servers/server.ts';
import { filled, type VariantWord } from './template.ts';

/** Caches that answer pulls: ours first. */
export const peerNames = ['quayside', 'distribution', 'docker-registry', 'nginx cache', 'zot'] as const;

export type PeerName = (typeof peerNames)[number];

/** An S3 server, and who answers for its bytes. */
export interface PeerBucket {
  readonly endpoint: string;
  readonly bucket: string;
  /** Whether clients get blobs from S3, by a redirect. */
  readonly redirect: 'always' | 'never';
  /** Quayside only: whether hot blobs are also on a local disk. Default false. */
  readonly hasDisk?: boolean;
}

/** What is on besides a cache on the file system over plain HTTP. */
export interface PeerOptions {
  readonly s3?: PeerBucket;
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** The file of logins, by bcrypt. */
  readonly htpasswdFile?: string;
}

interface Peer {
  readonly file: string;
  readonly located: () => string | { readonly missing: string };
  readonly args: (file: string, directory: string) => readonly string[];
  /** What it cannot do. */
  readonly lacks?: readonly (keyof PeerOptions)[];
}

const zotVariable = 'QUAYSIDE_BENCH_ZOT';

const peers: Readonly<Record<Exclude<PeerName, 'quayside'>, Peer>> = {
  distribution: {
    file: 'distribution.yml',
    located: () => builtBefore('distribution') ?? { missing: 'it is not built: npm run e2e -- --prepare' },
    args: (file) => ['serve', file],
  },
  'docker-registry': {
    file: 'docker-registry.yml',
    located: () => onPath('docker-registry'),
    args: (file) => ['serve', file],
  },
  'nginx cache': {
    file: 'nginx.conf',
    located: () => onPath('nginx'),
    args: (file, directory) => ['-p', directory, '-c', file],
    lacks: ['s3'],
  },
  zot: {
    file: 'zot.yaml',
    located: () =>
      process.env[zotVariable] ?? {
        missing: `${zotVariable} names no binary, and nothing here builds one`,
      },
    args: (file) => ['serve', file],
  },
};

/** Starts a peer of ours with an empty cache; or says why it takes no part. */
export async function startPeer(
  name: Exclude<PeerName, 'quayside'>,
  ground: Ground,
  options: PeerOptions,
): Promise<Server | string> {
  const { file, located, args, lacks = [] } = peers[name];
  const lacking = lacks.find((option) => options[option] !== undefined);
  if (lacking !== undefined) return `it has no ${lacking === 's3' ? 'S3 store' : lacking}`;
  const command = located();
  if (typeof command !== 'string') return command.missing;
  const port = await freePort();
  const configuration = join(ground.directory, file);
  await mkdir(join(ground.directory, 'temp'), { recursive: true });
  await writeFile(configuration, await peerConfiguration(file, ground, port, options));
  const program = await ground.programs.start({
    name,
    command,
    args: args(configuration, ground.directory),
    port,
    env: environment,
  });
  return { name, origin: originOf(port, options), pid: program.pid, stop: program.stop };
}

/**
 * distribution 3 sends traces to a collector unless it is told not to; docker-registry with S3 does
 * not start where the machine names authorities for AWS.
 */
const environment = { OTEL_TRACES_EXPORTER: 'none', AWS_CA_BUNDLE: '' };

export function originOf(port: number, { tls }: PeerOptions): string {
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
}

/** The configuration of one of the files here. */
export function peerConfiguration(
  file: string,
  { directory, upstream }: Pick<Ground, 'directory' | 'upstream'>,
  port: number,
  { s3, tls, htpasswdFile }: PeerOptions,
): Promise<string> {
  const words: readonly VariantWord[] = [
    s3 === undefined ? 'filesystem' : 's3',
    ...(s3?.hasDisk === true ? (['disk'] as const) : []),
    tls === undefined ? 'plain' : 'tls',
    ...(htpasswdFile === undefined ? [] : (['login'] as const)),
    ...(process.getuid?.() === 0 ? (['root'] as const) : []),
  ];
  const values = {
    directory,
    port: String(port),
    name: file.split('.', 1)[0] ?? file,
    upstream,
    upstreamHost: new URL(upstream).host,
    s3Endpoint: s3?.endpoint ?? '',
    s3Bucket: s3?.bucket ?? '',
    s3Redirect: s3?.redirect ?? '',
    redirectDisabled: String(s3?.redirect !== 'always'),
    certFile: tls?.certFile ?? '',
    keyFile: tls?.keyFile ?? '',
    htpasswdFile: htpasswdFile ?? '',
  };
  return filled(file, values, new Set(words));
}

function onPath(command: string): string | { readonly missing: string } {
  return findProgram(command) ?? { missing: `${command} is not installed` };
}
