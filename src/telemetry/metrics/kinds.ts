import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { withTimeout } from '../../base/time/wait.ts';
import { ExemplarRegistry } from './exemplars.ts';
import type { Row } from './table.ts';

/** The values of a metric's labels, in the order of the table. */
export type Values<Labels extends readonly string[]> = { readonly [Label in keyof Labels]: string | number };

/** The children of one metric: one for each combination of label values that occurred. */
interface Children<Labels extends readonly string[], Child> {
  of(...values: Values<Labels>): Child;
  known(): Iterable<readonly [values: readonly string[], child: Child]>;
}

/** The combinations that begin with the same values. */
interface Branch<Child> {
  readonly next: Map<string | number, Branch<Child>>;
  child?: Child;
}

/**
 * Makes the child of each combination of label values once, and finds it again by a look-up for
 * each value: every request passes here, and a joined key would be made and hashed each time.
 */
export function createChildren<Labels extends readonly string[], Child>(
  make: (values: readonly string[]) => Child,
): Children<Labels, Child> {
  const root: Branch<Child> = { next: new Map() };
  const known: (readonly [readonly string[], Child])[] = [];

  function added(values: readonly (string | number)[]): Child {
    const texts = values.map(String);
    const child = make(texts);
    known.push([texts, child]);
    return child;
  }

  return {
    known: () => known,
    of(...values) {
      let branch = root;
      for (const value of values) {
        let next = branch.next.get(value);
        if (next === undefined) {
          next = { next: new Map() };
          branch.next.set(value, next);
        }
        branch = next;
      }
      branch.child ??= added(values);
      return branch.child;
    },
  };
}

/** From a hit in memory to a cold layer of some GB over a slow link, in seconds. */
const defaultBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** One number of a metric. Plain, since the hot path adds to several per request. */
interface Cell {
  value: number;
}

const createCells = <Labels extends readonly string[]>() =>
  createChildren<Labels, Cell>(() => ({ value: 0 }));

function optionsOf<Labels extends readonly string[]>(registry: Registry, row: Row<Labels>) {
  const [name, help, labelNames] = row;
  return { name, help, labelNames, registers: [registry] };
}

/** One that only grows. */
export function counter<Labels extends readonly string[]>(registry: Registry, row: Row<Labels>) {
  const cells = createCells<Labels>();
  const metric: Counter<string> = new Counter<string>({
    ...optionsOf(registry, row),
    collect() {
      metric.reset();
      for (const [values, { value }] of cells.known()) metric.labels(...values).inc(value);
    },
  });
  return cells.of;
}

/** One that goes up and down. A child whose value is NaN is left out. */
export function gauge<Labels extends readonly string[]>(registry: Registry, row: Row<Labels>) {
  const cells = createCells<Labels>();
  const metric: Gauge<string> = new Gauge<string>({
    ...optionsOf(registry, row),
    collect() {
      metric.reset();
      for (const [values, { value }] of cells.known())
        if (!Number.isNaN(value)) metric.labels(...values).set(value);
    },
  });
  return cells.of;
}

/** How many fell within each bound; where they came from, if the registry keeps that. */
export function histogram<Labels extends readonly string[]>(
  registry: Registry,
  row: Row<Labels>,
  within: readonly number[] = defaultBuckets,
) {
  const metric = new Histogram<string>({ ...optionsOf(registry, row), buckets: [...within] });
  const [name, , labelNames] = row;
  return createChildren<Labels, Pick<Histogram.Internal<string>, 'observe'>>((values) => {
    const plain = metric.labels(...values);
    if (!(registry instanceof ExemplarRegistry)) return plain;
    const labels = labelNames.map((label, index) => `${label}="${values[index]}"`).join(',');
    return {
      observe(value) {
        plain.observe(value);
        registry.observed(name, labels, value, within);
      },
    };
  }).of;
}

/**
 * A gauge that is worked out when it is asked for; returns what adds a value of it, in place of an
 * earlier one with the same labels.
 */
export function measured<Labels extends readonly string[]>(registry: Registry, row: Row<Labels>) {
  const measures = new Map<string, readonly [values: Values<Labels>, measure: () => number]>();
  const metric: Gauge<string> = new Gauge<string>({
    ...optionsOf(registry, row),
    collect() {
      for (const [values, measure] of measures.values()) metric.labels(...values.map(String)).set(measure());
    },
  });
  return (values: Values<Labels>, measure: () => number): void =>
    void measures.set(values.join(' '), [values, measure]);
}

/** What a disk or a store says later than that is left out of a scrape, milliseconds. */
const scrapeMs = 1_000;

/**
 * A gauge whose values the system or the store is asked for at each scrape. A value that
 * does not come within a second, or that cannot be told, is missing in that scrape, or NaN where
 * there are no labels.
 */
export function inquired<Labels extends readonly string[]>(registry: Registry, row: Row<Labels>) {
  const [name, help, labelNames] = row;
  const inquiries = new Map<string, readonly [values: Values<Labels>, ask: () => Promise<number>]>();
  const metric: Gauge<string> = new Gauge<string>({
    name,
    help,
    labelNames,
    registers: [registry],
    async collect() {
      metric.reset();
      await Promise.all(
        Array.from(inquiries.values(), async ([values, ask]) => {
          const value = await withTimeout(ask(), scrapeMs, () => undefined).catch(() => undefined);
          if (value !== undefined) metric.labels(...values.map(String)).set(value);
          else if (values.length === 0) metric.set(Number.NaN);
        }),
      );
    },
  });
  return (values: Values<Labels>, ask: () => Promise<number>): void =>
    void inquiries.set(values.join(' '), [values, ask]);
}

/** Gauges whose names say counter; the same numbers are there by type, without the suffix. */
const misnamed = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

let ofProcess: Registry | undefined;

/**
 * Shows Node's default metrics: event loop, heap, GC. All services of a process share them, since
 * prom-client never stops the timer and the observer that measure them, which keep their registry.
 */
export function showProcess(registry: Registry): void {
  ofProcess ??= processRegistry();
  for (const { name } of ofProcess.getMetricsAsArray()) {
    const metric = ofProcess.getSingleMetric(name);
    if (metric !== undefined) registry.registerMetric(metric);
  }
}

function processRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  return registry;
}
