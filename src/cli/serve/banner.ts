import type { Config } from '../../config/load.ts';

/** A small public image of each registry that one may try first. */
const samples: ReadonlyMap<string, string> = new Map([
  ['quay.io', 'prometheus/busybox:latest'],
  ['docker.io', 'library/alpine:latest'],
  ['ghcr.io', 'containerd/busybox:1.36'],
  ['registry.k8s.io', 'pause:3.10'],
  ['public.ecr.aws', 'docker/library/alpine:latest'],
  ['gcr.io', 'distroless/static:latest'],
  ['registry.access.redhat.com', 'ubi9/ubi-micro:latest'],
]);

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

/** Where the parts that listen are reached: `host:port`. */
export interface Addresses {
  readonly address: string;
  readonly adminAddress?: string | undefined;
  /** What is wrong with the store, if that was known at the start. */
  readonly storeFault?: string | undefined;
  /** Processes that serve. Default: one. */
  readonly workers?: number;
}

/**
 * The banner of a started server: its address, its settings, and commands to try it. Above all that
 * says what of the store cannot be used.
 */
export function banner(
  config: Config,
  { address, adminAddress, storeFault, workers }: Addresses,
  degraded: readonly string[] = [],
): string {
  const scheme = config.tls === undefined ? 'http' : 'https';
  const facts = [
    ['listening', `${scheme}://${address}`],
    ...(workers === undefined ? [] : [['workers', `${workers} processes on one socket`]]),
    [
      'admin',
      adminAddress === undefined ? 'off' : `http://${adminAddress}  (/metrics, /livez, /readyz, /statusz)`,
    ],
    ['store', storeText(config)],
    ...(storeFault === undefined ? [] : [['', `NOT AVAILABLE: ${storeFault}`]]),
    ['evicting', evictionText(config)],
    ['upstreams', upstreamsText(config)],
    [
      'hosts',
      Object.entries(config.hosts)
        .map(([name, { auth }]) => `${name} (auth ${auth})`)
        .join(', '),
    ],
  ];
  const lines = facts.map(([name = '', value = '']) => `  ${name.padEnd(10)} ${value}`);
  const title = degraded.length === 0 ? 'Quayside is up' : degradedTitle(degraded);
  return `${title}\n${lines.join('\n')}\n\nPull through it:\n${trials(config, address)
    .map((line) => `  ${line}\n`)
    .join('')}\n`;
}

function degradedTitle(faults: readonly string[]): string {
  const lines = faults.map((fault) => `!!  ${fault}\n`).join('');
  return `Quayside is up and DEGRADED: pulls pass through and are not stored\n${lines}`;
}

function trials(config: Config, address: string): string[] {
  const scheme = config.tls === undefined ? 'http' : 'https';
  const url = new URL(config.publicUrl ?? `${scheme}://${reachable(address)}`);
  const upstream = config.defaultUpstream ?? Object.keys(config.upstreams)[0] ?? 'UPSTREAM';
  const sample = samples.get(upstream) ?? 'REPOSITORY:TAG';
  const image = `${url.host}/${upstream}/${sample}`;
  const [repository = '', tag = ''] = sample.split(':');
  const podman = url.protocol === 'http:' ? 'podman pull --tls-verify=false' : 'podman pull';
  const manifest = `${url.origin}/v2/${upstream}/${repository}/manifests/${tag}`;
  return [
    `${podman} ${image}`,
    `docker pull ${image}`,
    `curl -H 'Accept: ${manifestTypes.join(', ')}' ${manifest}`,
  ];
}

function storeText({ store, spool }: Config): string {
  if ('s3' in store) {
    const { endpoint, bucket, prefix, region, redirect } = store.s3;
    const place = [bucket, prefix].filter((part) => part !== undefined).join('/');
    const redirects = typeof redirect === 'string' ? redirect : `for ${redirect.networks.join(', ')}`;
    return `s3 ${place} at ${endpoint ?? `AWS ${region}`}, redirects ${redirects}, spool ${spool.path}`;
  }
  if ('memory' in store) return `memory, ${store.memory.maxBytes} bytes, gone with the process`;
  return `filesystem ${store.filesystem.path}`;
}

function evictionText({ eviction }: Config): string {
  if (eviction.maxBytes === undefined) return 'never: eviction.maxBytes is not set, the store grows';
  return `from ${eviction.highPercent} % to ${eviction.lowPercent} % of ${eviction.maxBytes} bytes`;
}

function upstreamsText({ upstreams, defaultUpstream }: Config): string {
  return `${Object.keys(upstreams).join(', ')} (without a name: ${defaultUpstream ?? 'none'})`;
}

/** The address as one may write it in a command: "every address" is here too. */
function reachable(address: string): string {
  return address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');
}
