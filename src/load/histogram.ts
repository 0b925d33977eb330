import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js';

/** How the latencies of one measure are distributed, as the report file holds it. Milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** The whole histogram: HdrHistogram V2, compressed, base64, in microseconds. */
  readonly hdr: string;
}

/** Latencies by HdrHistogram: three significant digits from a microsecond to an hour. */
export interface LatencyHistogram {
  readonly count: number;
  /** Longer ones than an hour count as an hour. */
  record(ms: number): void;
  /** Adds all that another one holds. */
  add(other: LatencyHistogram): void;
  /** The latency that so many percent do not exceed, milliseconds; 0 without any. */
  atPercentile(percent: number): number;
  summary(): LatencySummary;
}

type HdrHistogram = ReturnType<typeof build>;

const microseconds = 1_000;
const longestMicroseconds = 3_600_000_000;
const digits = 3;

/** What `add` needs of another one, which holds it in this module only. */
const held = new WeakMap<LatencyHistogram, HdrHistogram>();

/** An empty one, of some kilobytes: it grows with its longest latency. */
export function createHistogram(): LatencyHistogram {
  return around(build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: digits }));
}

/** That of a report file. Throws for another text. */
export function parseHistogram({ hdr }: Pick<LatencySummary, 'hdr'>): LatencyHistogram {
  return around(decodeFromCompressedBase64(hdr, 32));
}

function around(hdr: HdrHistogram): LatencyHistogram {
  const at = (percent: number): number =>
    hdr.totalCount === 0 ? 0 : hdr.getValueAtPercentile(percent) / microseconds;
  const histogram: LatencyHistogram = {
    get count() {
      return hdr.totalCount;
    },
    record: (ms) =>
      hdr.recordValue(Math.min(longestMicroseconds, Math.max(1, Math.round(ms * microseconds)))),
    add(other) {
      const from = held.get(other);
      if (from !== undefined && from.totalCount > 0) hdr.add(from);
    },
    atPercentile: at,
    summary: () => ({
      count: hdr.totalCount,
      meanMs: hdr.totalCount === 0 ? 0 : rounded(hdr.mean / microseconds),
      p50Ms: rounded(at(50)),
      p90Ms: rounded(at(90)),
      p99Ms: rounded(at(99)),
      p999Ms: rounded(at(99.9)),
      maxMs: hdr.totalCount === 0 ? 0 : rounded(hdr.maxValue / microseconds),
      hdr: encodeIntoCompressedBase64(hdr),
    }),
  };
  held.set(histogram, hdr);
  return histogram;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
