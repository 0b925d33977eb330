import type { Hit } from '../../cache/events.ts';
import { createHistogram, type LatencyHistogram } from '../../load/histogram.ts';
import { Meter, SpreadMeter } from './meters.ts';

/** The source of what a client was answered, and whether an upstream was asked for its content. */
export interface SimulatedRead {
  readonly hit: Hit;
  readonly isMiss: boolean;
}

/** What happened, as it is counted. */
export class SimulatedCounts {
  readonly hits = new Map<Hit, number>();
  readonly link = new SpreadMeter();
  readonly members = new SpreadMeter();
  readonly egress: readonly SpreadMeter[];
  readonly upstreamRequests = new Meter();
  readonly s3Reads = new Meter();
  /** PUT, POST and LIST, which cost the same. */
  readonly s3Writes = new Meter();
  pullMs: LatencyHistogram = createHistogram();
  pulls = 0;
  failed = 0;
  reads = 0;
  misses = 0;
  readBytes = 0;
  missBytes = 0;
  revalidations = 0;
  throttled = 0;
  mostQueued = 0;
  evicted = 0;
  evictedBytes = 0;
  diskEvicted = 0;
  diskEvictedBytes = 0;
  /** From the upstream, of what was stored once and had to go. */
  refetchedBytes = 0;
  mostStoredBytes = 0;
  fromMs = 0;

  constructor(replicas: number) {
    this.egress = Array.from({ length: replicas }, () => new SpreadMeter());
  }

  /** A client has been answered a manifest or blob. */
  read({ hit, isMiss }: SimulatedRead, bytes: number): void {
    this.hits.set(hit, (this.hits.get(hit) ?? 0) + 1);
    this.reads += 1;
    this.readBytes += bytes;
    if (!isMiss) return;
    this.misses += 1;
    this.missBytes += bytes;
  }

  queued(waiting: number): void {
    this.mostQueued = Math.max(this.mostQueued, waiting);
  }

  stored(bytes: number): void {
    this.mostStoredBytes = Math.max(this.mostStoredBytes, bytes);
  }

  /** Counts from now on, as if nothing had been before. */
  begin(atMs: number): void {
    this.hits.clear();
    for (const meter of [this.link, this.members, ...this.egress]) meter.reset(atMs);
    for (const meter of [this.upstreamRequests, this.s3Reads, this.s3Writes]) meter.reset();
    this.pullMs = createHistogram();
    Object.assign(this, {
      ...{ pulls: 0, failed: 0, reads: 0, misses: 0, readBytes: 0, missBytes: 0, revalidations: 0 },
      ...{ throttled: 0, mostQueued: 0, evicted: 0, evictedBytes: 0, diskEvicted: 0, diskEvictedBytes: 0 },
      ...{ refetchedBytes: 0, fromMs: atMs },
    });
  }
}
