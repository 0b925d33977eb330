import { createHistogram } from '../../../src/load/histogram.ts';
import {
  type LoadMeasure,
  type LoadResult,
  type LoadSecond,
  type MeasuredLatency,
  resultFormat,
} from '../../../src/load/result.ts';

interface SampleOptions {
  readonly title?: string;
  /** All latencies are multiplied by it. */
  readonly slowness?: number;
  readonly seconds?: number;
}

/** The result of a load that never was: within its minute the target answered nothing for 5 s. */
export function sampleResult(options: SampleOptions = {}, fields: Partial<LoadResult> = {}): LoadResult {
  const { title = 'cache.example', slowness = 1, seconds = 60 } = options;
  return {
    format: resultFormat,
    title,
    startedAt: '2026-11-29T20:00:00.000Z',
    durationMs: seconds * 1000,
    target: { url: 'https://cache.example', mirrorOf: 'quay.io', mirrorBy: 'ns' },
    settings: { target: 'https://cache.example', rate: 20, images: 100 },
    machine: {
      cores: 2,
      processor: 'Example 1',
      memoryBytes: 8e9,
      system: 'Linux 6.1',
      node: 'v26.10.0',
      loadBefore: 0.1,
    },
    work: { due: 1200, started: 1200, finished: 1195, failed: 4, unfinished: 1 },
    requests: 12_000,
    latencies: [
      latency('image', 'hit', 1100, 300 * slowness),
      latency('image', 'miss', 100, 2000 * slowness),
      latency('layer', 'hit', 8000, 60 * slowness),
      latency('manifest', 'hit', 2400, 3 * slowness),
      latency('firstByte', 'hit', 11_000, 2 * slowness),
    ],
    seconds: Array.from({ length: seconds }, (_, second) => secondAt(second)),
    bytes: { received: 5e9, verified: 5e9, wrong: 0, distinct: 1e9 },
    isVerified: true,
    wrongContent: [],
    errors: [{ kind: 'status 503', count: 4, example: 'GET https://cache.example/v2/a|b: 503' }],
    retries: 4,
    upstream: { source: 'front', bytes: 1e9, requests: 900, amplification: 1, perClientByte: 0.2 },
    generator: {
      processes: 2,
      processorMs: 30_000,
      lag: latency('image', 'none', 1200, 0.4),
      busyLoop: 0.4,
      heldBack: 0,
      verifyWaitMs: 12,
      residentBytes: 2e8,
      bottlenecks: [],
    },
    end: 'duration',
    objections: [],
    ...fields,
  };
}

/** Latencies with a long tail around a middle. */
function latency(measure: LoadMeasure, ofClass: string, count: number, middleMs: number): MeasuredLatency {
  const histogram = createHistogram();
  for (let index = 0; index < count; index += 1) histogram.record(middleMs * tail((index + 0.5) / count));
  return { measure, class: ofClass, ...histogram.summary() };
}

function tail(share: number): number {
  return 0.5 + share + 0.05 / (1 - share + 1e-4);
}

function secondAt(second: number): LoadSecond {
  const isStalled = second >= 30 && second < 35;
  return {
    second,
    due: 20,
    started: 20,
    finished: isStalled ? 0 : second === 35 ? 100 : 20,
    requests: isStalled ? 0 : 200,
    bytes: isStalled ? 0 : 80e6 + 10e6 * (second % 3),
    errors: second === 35 ? 4 : 0,
    underWay: isStalled ? 20 * (second - 29) : 6,
    longestMs: isStalled ? 0 : second === 35 ? 5200 : 900,
  };
}
