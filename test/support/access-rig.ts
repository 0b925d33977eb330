import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Digest } from '../../src/oci/digest.ts';
import { mediaTypes } from '../../src/oci/manifest.ts';
import { exchanged, getRaw } from '../bad-days/rig.ts';
import { type ClusterDouble, type ClusterDoubleOptions, clusterDouble } from './cluster-double.ts';
import { type RegistryDouble, registryDouble } from './registry-double.ts';
import { type ServiceRig, type ServiceRigOptions, serviceRig } from './service.ts';

/** An image of one layer of its own and one that it shares with every other. */
export interface SharingImage {
  readonly digest: Digest;
  readonly config: Digest;
  readonly layer: Digest;
  readonly shared: Digest;
}

/** A service before a cluster double, with the hosts of CI, and what its clients do. */
export interface AccessRig extends ServiceRig {
  readonly cluster: ClusterDouble;
  /** A token of ours for the host; throws when there is none to be had. */
  login(password: string, options?: { readonly host?: string; readonly scope?: string }): Promise<string>;
  /** A GET of a path that is sent as written, by the user of the token. */
  get(path: string, token?: string, ...headerLines: readonly string[]): Promise<Response>;
  head(path: string, token: string): Promise<Response>;
}

export interface AccessRigOptions extends Pick<ServiceRigOptions, 'clock' | 'directory' | 'upstream'> {
  readonly people: ClusterDoubleOptions;
  /** Settings over the rig's own. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Over those of the CI host. */
  readonly host?: Readonly<Record<string, unknown>>;
  /** Another double, which is not closed. */
  readonly registry?: RegistryDouble;
  /** Of the cluster, as the configuration has it: which of its image streams are believed. */
  readonly streams?: Readonly<Record<string, unknown>>;
}

/** Each image stream has its own rights here. */
export const ciHost = 'ci.example.com';
/** Signs its tokens with the same secret. */
export const otherHost = 'other.example.com';
/** Who we are upstream. */
export const ourself = { user: 'openshift+robot', password: 'robots-own-password' } as const;
export const ciRepository = 'openshift/ci';

export async function accessRig(t: Test, options: AccessRigOptions): Promise<AccessRig> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-access-'));
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  const double = options.registry ?? (await registryDouble());
  double.switches.requiresToken = ourself;
  const cluster = await clusterDouble(options.people);
  const file = (name: string) => join(directory, name);
  await writeFile(file('username'), ourself.user);
  await writeFile(file('password'), ourself.password);
  await writeFile(file('secret'), 'a secret of the test, of thirty-two bytes or more');
  const host = { auth: 'cluster', upstream: 'quay.io', tokenSecretFile: file('secret') };
  const rig = await serviceRig(t, {
    double,
    ...(options.directory === undefined ? {} : { directory: options.directory }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    upstream: {
      credentials: { usernameFile: file('username'), passwordFile: file('password') },
      ...options.upstream,
    },
    settings: {
      clusters: {
        'app.ci': {
          kubeconfigFile: await cluster.kubeconfig(file('cluster')),
          ...(options.streams === undefined ? {} : { streams: options.streams }),
        },
      },
      hosts: {
        [ciHost]: { ...host, access: 'imagestream', ...options.host },
        [otherHost]: { ...host, access: 'open' },
      },
      ...options.settings,
    },
  });
  t.teardown(async () => {
    await rig.stop();
    await cluster.close();
    if (options.registry === undefined) await double.close();
  });
  const as = (token: string) => (token === '' ? [] : [`Authorization: Bearer ${token}`]);
  return {
    ...rig,
    get log() {
      return rig.log;
    },
    cluster,
    async login(password, { host: name = ciHost, scope } = {}) {
      const query = scope === undefined ? '' : `?${new URLSearchParams({ scope })}`;
      const answer = await getRaw(rig.url, `/v2/auth${query}`, `Host: ${name}`, basicLine('any', password));
      const text = await answer.text();
      if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${text}`);
      return (JSON.parse(text) as { token: string }).token;
    },
    get: (path, token = '', ...lines) =>
      getRaw(
        rig.url,
        path,
        ...(lines.some((line) => /^host:/i.test(line)) ? [] : [`Host: ${ciHost}`]),
        ...as(token),
        ...lines,
      ),
    head: (path, token) =>
      exchanged(
        rig.url,
        `${[`HEAD ${path} HTTP/1.1`, `Host: ${ciHost}`, 'Connection: close', ...as(token)].join('\r\n')}\r\n\r\n`,
      ),
  };
}

/** An `Authorization` line. */
export function basicLine(username: string, password: string): string {
  return `Authorization: Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Keeps an image under the tag: with a layer of its own, and one that all of them share. */
export function sharingImage(double: RegistryDouble, tag: string): SharingImage {
  const config = double.addBlob(ciRepository, Buffer.from(JSON.stringify({ architecture: 'amd64', tag })));
  const layer = double.addBlob(ciRepository, Buffer.alloc(3_000, tag));
  const shared = double.addBlob(ciRepository, Buffer.alloc(5_000, 'shared by all'));
  const gzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: config,
      size: JSON.stringify({ architecture: 'amd64', tag }).length,
    },
    layers: [
      { mediaType: gzip, digest: shared, size: 5_000 },
      { mediaType: gzip, digest: layer, size: 3_000 },
    ],
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = double.addManifest(ciRepository, bytes, mediaTypes.ociManifest, tag);
  return { digest, config, layer, shared };
}
