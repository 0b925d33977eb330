import { join } from 'node:path';
import { defined } from '../base/text/defined.ts';
import { Expression } from '../base/text/expression.ts';
import { noUpstream, type PairFiles } from './checks.ts';
import type { Config, HostConfig, StoreConfig, TagsConfig, UpstreamConfig } from './config.ts';
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
  const { defaultUpstream, ...others } = settings;
  return deepFrozen({
    ...others,
    ...(defaultUpstream !== noUpstream && { defaultUpstream }),
    store,
    spool: { ...settings.spool, path: settings.spool.path ?? spoolPath(store, tmpdir) },
    upstreams: Object.fromEntries(upstreams),
    hosts: Object.fromEntries(hosts),
  });
}

const dayMs = 86_400_000;

function storeConfig({ filesystem, memory, s3, disk, ...settings }: Settings['store']): StoreConfig {
  const scrub = { ...settings, scrubEveryMs: settings.scrubEveryMs ?? false };
  if (s3 !== undefined) return { s3, ...defined({ disk }), ...scrub };
  if (memory !== undefined) return { memory, ...scrub };
  return {
    filesystem: filesystem ?? { path: './.quayside', verifyReads: 'first' },
    ...scrub,
    scrubEveryMs: settings.scrubEveryMs ?? dayMs,
  };
}

function spoolPath(store: StoreConfig, tmpdir: string): string {
  if ('filesystem' in store) return join(store.filesystem.path, 'spool');
  // Where a download that was stored in the bucket becomes a copy by rename.
  const isBehindDisk = 's3' in store && store.disk !== undefined;
  return isBehindDisk ? join(store.disk.path, 'spool') : join(tmpdir, 'quayside-spool');
}

function upstreamConfig(
  name: string,
  { credentials, ...upstream }: Settings['upstreams'][string],
  tags: TagsConfig,
): UpstreamConfig {
  return {
    ...upstream,
    url: upstream.url ?? (name === 'docker.io' ? 'https://registry-1.docker.io' : `https://${name}`),
    library: upstream.library ?? name === 'docker.io',
    fetchChildren: upstream.fetchChildren ?? name !== 'docker.io',
    tags: { ...tags, ...upstream.tags },
    ...defined({ credentials: credentials && credentialFiles(credentials) }),
  };
}

function hostConfig({ robots, ...host }: Settings['hosts'][string]): HostConfig {
  return { ...host, ...defined({ robots: robots && robotFiles(robots) }) };
}

function credentialFiles({ authFile, ...pair }: PairFiles & { readonly authFile?: string }) {
  return authFile === undefined ? pairOf(pair) : { authFile };
}

function robotFiles({ htpasswdFile, ...pair }: PairFiles & { readonly htpasswdFile?: string }) {
  return htpasswdFile === undefined ? pairOf(pair) : { htpasswdFile };
}

function pairOf({ usernameFile, passwordFile }: PairFiles) {
  return usernameFile === undefined || passwordFile === undefined
    ? undefined
    : { usernameFile, passwordFile };
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof Expression) return value;
  for (const part of Object.values(value)) deepFrozen(part);
  return Object.freeze(value);
}
