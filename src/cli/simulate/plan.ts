import { defaultGraceMs } from '../../cache/eviction/plan.ts';
import type { Config } from '../../config/load.ts';
import type { SimulatedFleet, SimulatedSite } from '../../simulate/model/settings.ts';
import type { Bounds, Prices } from '../../simulate/report.ts';
import { UsageError } from '../flags/arguments.ts';
import { type FlagValues, parseFlags } from '../flags/flag-table.ts';
import { simulateFlags } from './page.ts';

/** What a command line of `quayside simulate` asks for. */
export type SimulateFlags = FlagValues<typeof simulateFlags>;

/** Flags of which 0 means nothing, and what to do instead. */
const aboveZero = {
  bucket: 'leave it out for a bucket without end',
  rate: 'name the pulls that begin in a second, such as 0.5',
  moves: 'leave it out where no tag moves',
  herd: 'leave it out where nodes do not pull at the same time',
  'node-life': 'name one longer than --duration for nodes that stay',
} as const;

/** Reads the command line. Throws `UsageError`. */
export function parseSimulateFlags(args: readonly string[]): SimulateFlags {
  const { values, words } = parseFlags(simulateFlags, args);
  if (words[0] !== undefined) throw new UsageError(`takes no argument ${words[0]}; name a trace by --trace`);
  if (values.shared > 1) throw new UsageError('--shared must be from 0 to 1');
  for (const [name, advice] of Object.entries(aboveZero))
    if (values[name as keyof typeof aboveZero] === 0)
      throw new UsageError(`--${name} must be above 0: ${advice}`);
  if (values['warm-up'] >= values.duration) throw new UsageError('--warm-up must be shorter than --duration');
  return values;
}

/** One fleet for each size of its disks. Throws `UsageError`. */
export function fleetsOf(values: SimulateFlags, config: Config): readonly SimulatedFleet[] {
  const { store, eviction, memory } = config;
  const medium = values.store ?? (values.config === undefined || 's3' in store ? 's3' : 'filesystem');
  const { tags, maxConcurrent, maxQueued, requestsPerSecond, retries, name } = upstreamOf(values, config);
  const common = {
    replicas: values.replicas,
    medium,
    memory,
    eviction: { ...eviction, graceMs: defaultGraceMs },
    tags,
    upstream: { name, maxConcurrent, maxQueued, requestsPerSecond, retries },
  };
  const ownDisk =
    medium === 'filesystem' ? eviction.maxBytes : 's3' in store ? store.disk?.maxBytes : undefined;
  return (values.disk ?? [ownDisk]).map((size) =>
    medium === 's3'
      ? { ...common, mediumBytes: values.bucket ?? eviction.maxBytes, diskBytes: size }
      : { ...common, mediumBytes: size, diskBytes: undefined },
  );
}

function upstreamOf(values: SimulateFlags, config: Config) {
  const name = values.upstream ?? config.defaultUpstream ?? Object.keys(config.upstreams)[0] ?? '';
  const upstream = config.upstreams[name];
  if (upstream === undefined) throw new UsageError(`--upstream: the configuration has no upstream ${name}`);
  return { ...upstream, name };
}

/** What is around the fleet. */
export function siteOf(values: SimulateFlags): SimulatedSite {
  return {
    upstreamLatencyMs: values.latency,
    linkBytesPerSecond: values.link,
    streamBytesPerSecond: values.stream,
    clientBytesPerSecond: values['client-stream'],
    s3BytesPerSecond: values['s3-stream'],
    upstreamAllows: values.allows,
    retryAfterSeconds: values['retry-after'] / 1000,
    nodeBytes: values['node-disk'],
    nodeLivesMs: values['node-life'],
    perNode: values['per-node'],
    seed: values.random,
  };
}

/** What the parts can bear. */
export function boundsOf(values: SimulateFlags): Bounds {
  return {
    egressBytesPerSecond: values.egress,
    s3Reads: values['s3-reads'],
    s3Writes: values['s3-writes'],
  };
}

/** What they cost. */
export function pricesOf(values: SimulateFlags): Prices {
  return {
    upstreamPerGB: values['price-upstream'],
    s3ReadsPer1000: values['price-s3-reads'],
    s3WritesPer1000: values['price-s3-writes'],
    bucketPerGBMonth: values['price-bucket'],
    diskPerGBMonth: values['price-disk'],
  };
}
