import { AggregatorRegistry, Registry } from 'prom-client';
import { fieldsOf, listOf } from '../../base/text/json.ts';
import { type ExemplarLine, exemplarLines } from './exemplars.ts';
import { counter, gauge } from './kinds.ts';
import { table } from './table.ts';

/** Metrics of several workers, on one page. */
export interface JoinedMetrics {
  /** All that a worker counts and measures now, as `Metrics.values` has it. */
  taken(worker: number, metrics: unknown): void;
  /** Its process is gone: what it counted stays counted, what it measured is no more. */
  ended(worker: number): void;
  /** So many workers serve. */
  serving(workers: number): void;
  /** One has ended that was not told to. */
  crashed(): void;
  text(): Promise<string>;
  /** The exemplars of all workers that serve. */
  exemplars(): readonly ExemplarLine[];
}

/** The part that is looked at of one metric of one process. */
interface MetricValues {
  readonly name: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly { readonly value: number }[];
}

const firstOf = ([name]: readonly [string, ...unknown[]]): string => name;

/** What each worker says of the same thing is not added up. */
const atMost: readonly string[] = [
  ...[table.storeBytes, table.storeBlobs, table.disk, table.diskBlobs, table.scrubCompleted].map(firstOf),
  ...[table.fleetMembers, table.breaker, table.buildInfo, table.maxBytes, table.certificateEnd].map(firstOf),
  ...[table.streamState, table.streams, table.streamDigests, table.streamReferences].map(firstOf),
  ...[table.filesystemSize, table.filesystemAvailable, table.conditions, table.conditionSince].map(firstOf),
  ...[table.mirrorLeader, table.mirrorImages, table.mirrorOldest, table.mirrorHolds].map(firstOf),
  ...[table.kernelSending].map(firstOf),
];
const atLeast: readonly string[] = [firstOf(table.storeAvailable), 'process_start_time_seconds'];

/** By name; else as the metric itself says, which is mostly their sum. */
const aggregators: ReadonlyMap<string, 'max' | 'min'> = new Map([
  ...atMost.map((name) => [name, 'max'] as const),
  ...atLeast.map((name) => [name, 'min'] as const),
]);

/**
 * Adds up what workers count. A worker that ended counts on with what it had at the last scrape, so
 * that no counter ever falls; what it counted after that is lost.
 */
export function createJoinedMetrics(): JoinedMetrics {
  const own = new Registry();
  const serving = gauge(own, table.workers);
  const crashes = counter(own, table.workerCrashes);
  serving().value = 0;
  crashes().value = 0;
  const latest = new Map<number, readonly MetricValues[]>();
  const exemplars = new Map<number, readonly ExemplarLine[]>();
  let former: readonly MetricValues[] = [];
  return {
    taken(worker, metrics) {
      const values = listOf(metrics);
      latest.set(worker, values.filter(isMetric).map(joinable));
      exemplars.set(
        worker,
        values.flatMap((value) => exemplarLines(fieldsOf(value)['exemplars'])),
      );
    },
    ended(worker) {
      const counted = latest.get(worker)?.filter(isCounted) ?? [];
      latest.delete(worker);
      exemplars.delete(worker);
      if (counted.length > 0) former = summed(former, counted);
    },
    serving(workers) {
      serving().value = workers;
    },
    crashed() {
      crashes().value += 1;
    },
    async text() {
      const mine = (await own.getMetricsAsJSON()).filter(isMetric);
      return AggregatorRegistry.aggregate([mine, former, ...latest.values()]).metrics();
    },
    exemplars: () => [...exemplars.values()].flat(),
  };
}

/** Two processes, one after the other, as one. */
function summed(former: readonly MetricValues[], counted: readonly MetricValues[]): readonly MetricValues[] {
  const both = AggregatorRegistry.aggregate([former, counted]);
  return both.getMetricsAsArray().flatMap((metric) => {
    const found: unknown = { ...metric };
    return isMetric(found) ? [found] : [];
  });
}

function isMetric(value: unknown): value is MetricValues {
  const { name, type, values } = fieldsOf(value);
  return typeof name === 'string' && typeof type === 'string' && Array.isArray(values);
}

function isCounted({ type }: MetricValues): boolean {
  return type === 'counter' || type === 'histogram';
}

/** What several say is NaN for one that does not know; the others may. */
function joinable(metric: MetricValues): MetricValues {
  const values = metric.values.filter(({ value }) => !Number.isNaN(value));
  return { ...metric, values, aggregator: aggregators.get(metric.name) ?? metric.aggregator };
}
