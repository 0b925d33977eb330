import type { Hit } from '../cache/events.ts';
import type { SimulatedCounts } from './model/counts.ts';
import type { SimulatedFleet, SimulatedSite } from './model/settings.ts';
import type { Simulated } from './simulate.ts';

/** What things cost, US dollars. */
export interface Prices {
  /** A GB (10^9 bytes) from the upstream. */
  readonly upstreamPerGB: number;
  /** 1,000 GET or HEAD of S3. */
  readonly s3ReadsPer1000: number;
  /** 1,000 PUT, POST or LIST. */
  readonly s3WritesPer1000: number;
  /** A GB in the bucket for a month. */
  readonly bucketPerGBMonth: number;
  /** A GB of disk of a replica for a month. */
  readonly diskPerGBMonth: number;
}

/** What each part can bear, beside what the site says. Rates are of a second. */
export interface Bounds {
  readonly egressBytesPerSecond: number;
  readonly s3Reads: number;
  readonly s3Writes: number;
}

/** The most of something that was used, beside what there is. */
export interface BoundReport {
  readonly bound: string;
  readonly unit: 'bytes/s' | '1/s' | 'bytes';
  readonly peak: number;
  readonly limit: number;
  /** 1: all of it. */
  readonly share: number;
  /** When the peak was, milliseconds since the start of the simulation. */
  readonly atMs?: number;
}

/** What a simulation predicts. Bytes, milliseconds and US dollars; plain JSON. */
export interface SimulationReport {
  readonly diskBytes: number | undefined;
  readonly mediumBytes: number | undefined;
  readonly countedMs: number;
  readonly pulls: number;
  readonly reads: number;
  readonly failed: number;
  /** By the word of `Quayside-Cache`. */
  readonly hits: Readonly<Partial<Record<Hit, number>>>;
  /** The part of the reads, and of their bytes, for which no upstream was asked. */
  readonly hitRate: number;
  readonly byteHitRate: number;
  readonly pullMs: { readonly p50: number; readonly p99: number };
  readonly upstream: {
    readonly requests: number;
    readonly revalidations: number;
    readonly throttled: number;
    readonly bytes: number;
    readonly peakRequests: number;
    readonly peakBytes: number;
  };
  readonly s3: {
    readonly reads: number;
    readonly writes: number;
    readonly peakReads: number;
    readonly peakWrites: number;
  };
  readonly members: { readonly bytes: number; readonly peakBytes: number };
  readonly egress: { readonly bytes: number; readonly peakBytes: number };
  readonly stored: { readonly bytes: number; readonly diskBytes: number };
  /** What gave way, and what of it was downloaded again. */
  readonly evicted: {
    readonly count: number;
    readonly bytes: number;
    readonly refetchedBytes: number;
    readonly diskCount: number;
    readonly diskBytes: number;
  };
  /** For 30 days of the same. */
  readonly month: {
    readonly upstream: number;
    readonly s3Calls: number;
    readonly bucket: number;
    readonly disk: number;
    readonly total: number;
  };
  /** The fullest first. */
  readonly bounds: readonly BoundReport[];
}

const monthMs = 30 * 86_400_000;

/** The report of a simulation. */
export function reportOf(done: Simulated, { fleet, site, prices, bounds }: ReportSettings): SimulationReport {
  const { tally, countedMs } = done;
  const egress = fullest(tally);
  const rate = (part: number): number => (tally.reads === 0 ? 0 : 1 - part);
  return {
    diskBytes: fleet.medium === 's3' ? fleet.diskBytes : fleet.mediumBytes,
    mediumBytes: fleet.mediumBytes,
    countedMs,
    pulls: tally.pulls,
    reads: tally.reads,
    failed: tally.failed,
    hits: Object.fromEntries(tally.hits),
    hitRate: rate(tally.misses / tally.reads),
    byteHitRate: rate(tally.missBytes / Math.max(1, tally.readBytes)),
    pullMs: { p50: tally.pullMs.atPercentile(50), p99: tally.pullMs.atPercentile(99) },
    upstream: {
      requests: tally.upstreamRequests.total,
      revalidations: tally.revalidations,
      throttled: tally.throttled,
      bytes: Math.round(tally.link.total),
      peakRequests: tally.upstreamRequests.peak,
      peakBytes: tally.link.peak,
    },
    s3: {
      reads: tally.s3Reads.total,
      writes: tally.s3Writes.total,
      peakReads: tally.s3Reads.peak,
      peakWrites: tally.s3Writes.peak,
    },
    members: { bytes: tally.members.total, peakBytes: tally.members.peak },
    egress: { bytes: tally.egress.reduce((sum, { total }) => sum + total, 0), peakBytes: egress.peak },
    stored: { bytes: done.storedBytes, diskBytes: done.diskBytes },
    evicted: {
      count: tally.evicted,
      bytes: tally.evictedBytes,
      refetchedBytes: tally.refetchedBytes,
      diskCount: tally.diskEvicted,
      diskBytes: tally.diskEvictedBytes,
    },
    month: monthOf(done, fleet, prices),
    bounds: boundsOf(tally, { fleet, site, bounds, egress }),
  };
}

interface ReportSettings {
  readonly fleet: SimulatedFleet;
  readonly site: SimulatedSite;
  readonly prices: Prices;
  readonly bounds: Bounds;
}

function monthOf(
  { tally, countedMs, storedBytes }: Simulated,
  fleet: SimulatedFleet,
  prices: Prices,
): SimulationReport['month'] {
  const months = countedMs / monthMs;
  const upstream = ((tally.link.total / 1e9) * prices.upstreamPerGB) / months;
  const calls = tally.s3Reads.total * prices.s3ReadsPer1000 + tally.s3Writes.total * prices.s3WritesPer1000;
  const s3Calls = calls / 1000 / months;
  const isBucket = fleet.medium === 's3';
  const bucket = isBucket ? (storedBytes / 1e9) * prices.bucketPerGBMonth : 0;
  const eachDisk = (isBucket ? fleet.diskBytes : fleet.mediumBytes) ?? 0;
  const disk = ((eachDisk * fleet.replicas) / 1e9) * prices.diskPerGBMonth;
  return { upstream, s3Calls, bucket, disk, total: upstream + s3Calls + bucket + disk };
}

/** What is used up first when there is more of the same load, the fullest first. */
function boundsOf(
  tally: SimulatedCounts,
  { fleet, site, bounds, egress }: Omit<ReportSettings, 'prices'> & { readonly egress: Peak },
): readonly BoundReport[] {
  const all: readonly Omit<BoundReport, 'share'>[] = [
    { bound: 'link to the upstream', unit: 'bytes/s', ...of(tally.link), limit: site.linkBytesPerSecond },
    {
      bound: 'requests that the upstream allows',
      unit: '1/s',
      ...of(tally.upstreamRequests),
      limit: site.upstreamAllows ?? Number.POSITIVE_INFINITY,
    },
    { bound: 'egress of one replica', unit: 'bytes/s', ...of(egress), limit: bounds.egressBytesPerSecond },
    { bound: 'reads of S3', unit: '1/s', ...of(tally.s3Reads), limit: bounds.s3Reads },
    { bound: 'writes of S3', unit: '1/s', ...of(tally.s3Writes), limit: bounds.s3Writes },
    {
      bound: fleet.medium === 's3' ? 'size of the bucket' : 'size of one disk',
      unit: 'bytes',
      peak: tally.mostStoredBytes,
      limit: fleet.mediumBytes ?? Number.POSITIVE_INFINITY,
    },
  ];
  return all
    .filter(({ peak, limit }) => Number.isFinite(limit) && peak > 0)
    .map((each) => ({ ...each, share: each.peak / each.limit }))
    .sort((one, other) => other.share - one.share);
}

interface Peak {
  readonly peak: number;
  readonly peakAtMs: number;
}

function of({ peak, peakAtMs }: Peak): { readonly peak: number; readonly atMs: number } {
  return { peak, atMs: peakAtMs };
}

function fullest({ egress }: SimulatedCounts): Peak {
  const [first, ...others] = egress;
  if (first === undefined) return { peak: 0, peakAtMs: 0 };
  return others.reduce<Peak>((most, each) => (each.peak > most.peak ? each : most), first);
}
