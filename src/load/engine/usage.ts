import { performance } from 'node:perf_hooks';
import { createHistogram, type LatencySummary, parseHistogram } from '../histogram.ts';
import type { LoadGenerator } from '../result.ts';

/** What one generator used. Plain JSON. */
export interface GeneratorUsage {
  readonly processorMs: number;
  readonly busyLoop: number;
  readonly residentBytes: number;
  readonly lag: LatencySummary;
  readonly heldBack: number;
  readonly verifyWaitMs: number;
}

/** Measures this process until it is read. */
export interface UsageMeter {
  /** Called about once a second. */
  look(): void;
  read(): Pick<GeneratorUsage, 'processorMs' | 'busyLoop' | 'residentBytes'>;
}

/** Begins to measure; threads of the process count too. */
export function createUsageMeter(): UsageMeter {
  const cpu = process.cpuUsage();
  let before = performance.eventLoopUtilization();
  let busyLoop = 0;
  let residentBytes = 0;
  const look = (): void => {
    const now = performance.eventLoopUtilization();
    busyLoop = Math.max(busyLoop, performance.eventLoopUtilization(now, before).utilization);
    before = now;
    residentBytes = Math.max(residentBytes, process.memoryUsage.rss());
  };
  return {
    look,
    read() {
      if (busyLoop === 0) look();
      const { user, system } = process.cpuUsage(cpu);
      return { processorMs: (user + system) / 1000, busyLoop, residentBytes };
    },
  };
}

/**
 * A later begin than this, in milliseconds, says that the generator was late: where it is also more
 * than a tenth of the latency of the work, which counts from when it was due.
 */
const latest = 20;
const latestShare = 0.1;
const busiest = 0.9;
/** More work than this share of the processors before the load is that of others. */
const busyBefore = 0.5;
/** Readers that waited for the threads longer than this share of the time. */
const mostWaiting = 0.05;

interface Measured {
  readonly durationMs: number;
  readonly cores: number;
  /** The load average before: what else runs here. */
  readonly loadBefore: number;
  /** Of whole work. */
  readonly p99Ms: number;
}

/** All generators together, and whether they were the bottleneck. */
export function generatorOf(usages: readonly GeneratorUsage[], measured: Measured): LoadGenerator {
  const lag = createHistogram();
  for (const usage of usages) lag.add(parseHistogram(usage.lag));
  const sum = (of: (usage: GeneratorUsage) => number): number =>
    usages.reduce((total, usage) => total + of(usage), 0);
  const most = (of: (usage: GeneratorUsage) => number): number => Math.max(0, ...usages.map(of));
  const together = {
    processes: usages.length,
    processorMs: Math.round(sum(({ processorMs }) => processorMs)),
    lag: lag.summary(),
    busyLoop: Math.round(most(({ busyLoop }) => busyLoop) * 100) / 100,
    heldBack: sum(({ heldBack }) => heldBack),
    verifyWaitMs: Math.round(sum(({ verifyWaitMs }) => verifyWaitMs)),
    residentBytes: most(({ residentBytes }) => residentBytes),
  };
  return { ...together, bottlenecks: bottlenecksOf(together, measured) };
}

function bottlenecksOf(
  { processes, processorMs, lag, busyLoop, heldBack, verifyWaitMs }: Omit<LoadGenerator, 'bottlenecks'>,
  { durationMs, cores, loadBefore, p99Ms }: Measured,
): readonly string[] {
  const share = processorMs / Math.max(1, durationMs) / cores;
  const waited = verifyWaitMs / Math.max(1, durationMs * processes);
  return [
    ...(lag.p99Ms > Math.max(latest, p99Ms * latestShare)
      ? [`arrivals were begun ${Math.round(lag.p99Ms)} ms late (p99); more --processes, or a lower rate`]
      : []),
    ...(busyLoop > busiest
      ? [`a process was busy ${Math.round(busyLoop * 100)} % of a second; more --processes`]
      : []),
    ...(share > busiest
      ? [
          `the generator took ${Math.round(share * 100)} % of the processors; another machine, or a lower rate`,
        ]
      : []),
    ...(waited > mostWaiting
      ? [`readers waited ${Math.round(waited * 100)} % of the time for the threads that check digests`]
      : []),
    ...(loadBefore > busyBefore * cores
      ? [
          `this machine had other work, a load of ${loadBefore} on ${cores} processors, before the first arrival`,
        ]
      : []),
    ...(heldBack > 0 ? [`${heldBack} arrivals waited because --max-concurrency was under way`] : []),
  ];
}
