import { parseSize } from '../../load/model/sizes.ts';
import type { FlagTable } from '../flags/flag-table.ts';
import type { CommandPage } from '../flags/page.ts';
import { amount, boolean, count, duration, oneOf, output, rate, whole } from '../flags/values.ts';
import { loadFlags } from '../pages/load.ts';

/** `10Gbit/s`, `1.25GB/s` or `50MB` as bytes a second. */
export function byteRate(text: string): number {
  const size = text.endsWith('/s') ? text.slice(0, -2) : text;
  const value = size.endsWith('Gbit') ? amount(size.slice(0, -4)) * 125e6 : parseSize(size);
  // What brings nothing takes forever, and no time has room for that.
  if (value > 0) return value;
  throw new Error(`must be a rate above 0, such as 10Gbit/s or 50MB/s, not ${text}`);
}

function sizes(text: string): readonly number[] {
  return text.split(',').map((part) => parseSize(part.trim()));
}

const mostImages = 5_000_000;

function imageCount(text: string): number {
  const value = whole(text);
  if (value <= mostImages) return value;
  throw new Error(`must be at most ${mostImages} images, not ${text}`);
}

const fleet = { group: 'The fleet:' } as const;
const load = { group: 'The load:' } as const;
const site = { group: 'Around it:' } as const;
const bound = { group: 'What it can bear:' } as const;
const price = { group: 'Prices, US dollars:' } as const;

export const simulateFlags = {
  config: {
    ...fleet,
    value: 'FILE',
    help: 'a configuration of quayside serve, for the limits, ages and marks below; default: its defaults',
  },
  upstream: {
    ...fleet,
    value: 'NAME',
    help: 'the upstream of the configuration; default: its defaultUpstream',
  },
  replicas: { ...fleet, value: 'N', read: count, default: '1', help: 'replicas that share the load' },
  store: {
    ...fleet,
    value: 's3|filesystem',
    read: oneOf(['s3', 'filesystem']),
    help: 'one bucket for all, or a directory of each replica; default: that of --config, else s3',
  },
  disk: {
    ...fleet,
    value: 'SIZE[,SIZE]...',
    read: sizes,
    help: 'of each replica: the disk before the bucket, or the directory. Several are compared; default: that of --config',
  },
  bucket: {
    ...fleet,
    value: 'SIZE',
    read: parseSize,
    help: 'the size of the bucket; default: eviction.maxBytes of --config, else without end',
  },
  trace: { ...load, value: 'FILE', help: 'requests of a log; see docs/load-traces.md. Default: a model' },
  'trace-format': { ...loadFlags['trace-format'], ...load },
  speed: { ...loadFlags.speed, ...load },
  images: {
    ...load,
    value: 'N',
    read: imageCount,
    default: '1000',
    help: 'of the model: images, each a tag',
  },
  flat: { ...load, ...boolean, help: 'all images are tags of one repository, as in QCI' },
  layers: { ...loadFlags.layers, ...load },
  sizes: { ...loadFlags.sizes, ...load },
  shared: { ...loadFlags.shared, ...load },
  zipf: { ...loadFlags.zipf, ...load },
  rate: { ...load, value: 'N', read: amount, default: '2', help: 'pulls that begin in a second' },
  spacing: { ...loadFlags.spacing, ...load },
  moves: {
    ...load,
    value: 'DURATION',
    read: duration,
    help: 'a tag gets a new image, each time after so long',
  },
  herd: { ...loadFlags.herd, ...load },
  random: { ...loadFlags.random, ...load },
  pulls: { ...load, value: 'N', read: whole, help: 'at most so many arrivals; default: 1000000' },
  duration: { ...load, value: 'DURATION', read: duration, default: '24h', help: 'of the load, such as 720h' },
  'warm-up': {
    ...load,
    value: 'DURATION',
    read: duration,
    default: '0s',
    help: 'of it nothing is counted at first, while caches are cold',
  },
  nodes: { ...site, value: 'N', read: whole, default: '1000', help: 'nodes, each with images of its own' },
  'per-node': { ...loadFlags['per-node'], ...site },
  'node-disk': {
    ...site,
    value: 'SIZE',
    read: parseSize,
    default: '100GiB',
    help: 'images that a node keeps',
  },
  'node-life': {
    ...site,
    value: 'DURATION',
    read: duration,
    default: '12h',
    help: 'a node is replaced by an empty one after so long',
  },
  link: {
    ...site,
    value: 'RATE',
    read: byteRate,
    default: '10Gbit/s',
    help: 'of all downloads from the upstream',
  },
  stream: { ...site, value: 'RATE', read: byteRate, default: '50MB/s', help: 'of one download' },
  latency: {
    ...site,
    value: 'DURATION',
    read: duration,
    default: '100ms',
    help: 'of an answer of the upstream',
  },
  allows: {
    ...site,
    value: 'N',
    read: rate,
    help: 'requests a second, beyond which the upstream answers 429; default: any',
  },
  'retry-after': {
    ...site,
    value: 'DURATION',
    read: duration,
    default: '5s',
    help: 'that such an answer says',
  },
  'client-stream': {
    ...site,
    value: 'RATE',
    read: byteRate,
    default: '125MB/s',
    help: 'of one body to a node or a replica',
  },
  's3-stream': { ...site, value: 'RATE', read: byteRate, default: '80MB/s', help: 'of one body from S3' },
  egress: { ...bound, value: 'RATE', read: byteRate, default: '10Gbit/s', help: 'of one replica to nodes' },
  's3-reads': { ...bound, value: 'N', read: whole, default: '5500', help: 'of S3 a second, for one prefix' },
  's3-writes': { ...bound, value: 'N', read: whole, default: '3500', help: 'the same' },
  'price-upstream': {
    ...price,
    value: 'USD',
    read: amount,
    default: '0.045',
    help: 'of a GB from the upstream: a NAT gateway',
  },
  'price-s3-reads': {
    ...price,
    value: 'USD',
    read: amount,
    default: '0.0004',
    help: 'of 1,000 reads of S3 Standard',
  },
  'price-s3-writes': {
    ...price,
    value: 'USD',
    read: amount,
    default: '0.005',
    help: 'of 1,000 writes or lists',
  },
  'price-bucket': {
    ...price,
    value: 'USD',
    read: amount,
    default: '0.023',
    help: 'of a GB in the bucket for a month',
  },
  'price-disk': {
    ...price,
    value: 'USD',
    read: amount,
    default: '0.08',
    help: 'of a GB of disk for a month: gp3',
  },
  output,
} as const satisfies FlagTable;

export const simulatePage: CommandPage = {
  flags: simulateFlags,
  about: `Runs a load through the decisions of a fleet under a clock of its own: nothing listens, nothing is sent.`,
  notes: `Prices are those of us-east-1 as aws.amazon.com had them in 2025, written down on 2026-11-30: look up your own. The options of the load and its model mean what they mean for quayside load.`,
  examples: [
    'quayside simulate --replicas 3 --disk 100GiB,500GiB,1TiB --images 20000 --nodes 1000 --moves 60s',
    'quayside simulate --config quayside.yaml --trace requests.log --disk 500GiB -o json',
  ],
  exits: `Exits with 0, with 1 where the trace cannot be read, 2 for a mistake, 130 or 143 when stopped.`,
};
