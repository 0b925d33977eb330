import { join } from 'node:path';
import { Expression } from '../base/text/expression.ts';
import type {
  Config,
  CredentialFiles,
  HostConfig,
  RobotFileSettings,
  StoreConfig,
  TagsConfig,
  UpstreamConfig,
} from './config.ts';
import type { Settings } from './schema/schema.ts';

/** Checked settings with their derived defaults. `tmpdir`: for a spool without a path. */
export function resolved(settings: Settings, tmpdir: string): Config {
  const store = storeConfig(settings.store);
  const upstreams = Object.entries(settings.upstreams).map(([name, upstream]): [string, UpstreamConfig] => [
    name,
    upstreamConfig(name, upstream, settings.tags),
  ]);
  const hosts = Object.entries(settings.hosts).map(([name, host]): [string, HostConfig] => [
    name.toLowerCase(),
    hostConfig(host),
  ]);
  return deepFrozen({
    ...settings,
    store,
    spool: { ...settings.spool, path: settings.spool.path ?? spoolPath(store, tmpdir) },
    upstreams: Object.fromEntries(upstreams),
    hosts: Object.fromEntries(hosts),
  });
}

const dayMs = 86_400_000;

function storeConfig({ filesystem, memory, s3, ...settings }: Settings['store']): StoreConfig {
  const scrub = { ...settings, scrubEveryMs: settings.scrubEveryMs ?? false };
  if (s3 !== undefined) return { s3, ...scrub };
  if (memory !== undefined) return { memory, ...scrub };
  return {
    filesystem: filesystem ?? { path: './.quayside', verifyReads: 'first' },
    ...scrub,
    scrubEveryMs: settings.scrubEveryMs ?? dayMs,
  };
}

function spoolPath(store: StoreConfig, tmpdir: string): string {
  return 'filesystem' in store ? join(store.filesystem.path, 'spool') : join(tmpdir, 'quayside-spool');
}

function upstreamConfig(
  name: string,
  { credentials, ...upstream }: Settings['upstreams'][string],
  tags: TagsConfig,
): UpstreamConfig {
  const files = credentials === undefined ? undefined : credentialFiles(credentials);
  return {
    ...upstream,
    url: upstream.url ?? (name === 'docker.io' ? 'https://registry-1.docker.io' : `https://${name}`),
    library: upstream.library ?? name === 'docker.io',
    fetchChildren: upstream.fetchChildren ?? name !== 'docker.io',
    tags: { ...tags, ...upstream.tags },
    ...(files === undefined ? {} : { credentials: files }),
  };
}

function credentialFiles(
  files: NonNullable<Settings['upstreams'][string]['credentials']>,
): CredentialFiles | undefined {
  const { authFile, usernameFile, passwordFile } = files;
  if (authFile !== undefined) return { authFile };
  return usernameFile === undefined || passwordFile === undefined
    ? undefined
    : { usernameFile, passwordFile };
}

function hostConfig({ robots, ...host }: Settings['hosts'][string]): HostConfig {
  const files = robots === undefined ? undefined : robotFiles(robots);
  return { ...host, ...(files === undefined ? {} : { robots: files }) };
}

function robotFiles(files: NonNullable<Settings['hosts'][string]['robots']>): RobotFileSettings | undefined {
  const { htpasswdFile, usernameFile, passwordFile } = files;
  if (htpasswdFile !== undefined) return { htpasswdFile };
  return usernameFile === undefined || passwordFile === undefined
    ? undefined
    : { usernameFile, passwordFile };
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Expression) return value;
  for (const part of Object.values(value)) deepFrozen(part);
  return Object.freeze(value);
}
