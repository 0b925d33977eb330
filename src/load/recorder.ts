import type { Digest } from '../oci/digest.ts';
import { createHistogram, type LatencyHistogram, parseHistogram } from './histogram.ts';
import {
  type LoadErrors,
  type LoadMeasure,
  type LoadResult,
  type LoadSecond,
  loadMeasures,
  type MeasuredLatency,
} from './result.ts';

/** How work ended: `failed` with an error of its own, `unfinished` when the time was over. */
export type WorkEnd = 'finished' | 'failed' | 'unfinished';

/** What one generator measured. Those of several add up. Plain JSON. */
export interface LoadPart {
  readonly work: LoadResult['work'];
  readonly requests: number;
  readonly retries: number;
  readonly latencies: readonly MeasuredLatency[];
  readonly seconds: readonly LoadSecond[];
  readonly bytes: Omit<LoadResult['bytes'], 'distinct'>;
  /** The size of each digest that was asked for, bytes. */
  readonly distinct: Readonly<Record<string, number>>;
  readonly wrongContent: LoadResult['wrongContent'];
  readonly errors: readonly LoadErrors[];
}

type Wrong = LoadResult['wrongContent'][number];
type Second = { -readonly [Field in keyof LoadSecond]: LoadSecond[Field] };
type Failures = { -readonly [Field in keyof LoadErrors]: LoadErrors[Field] };

const mostExamples = 20;
const mostKinds = 100;
/** Digests beyond these are not counted as distinct ones. */
const mostDigests = 500_000;

/** Counts what happens, by the second since the start; all times are milliseconds since then. */
export class LoadRecorder {
  readonly #latencies = new Map<string, LatencyHistogram>();
  readonly #seconds: Second[] = [];
  readonly #errors = new Map<string, Failures>();
  readonly #wrong: Wrong[] = [];
  readonly #distinct = new Map<string, number>();
  readonly #work = { due: 0, started: 0, finished: 0, failed: 0, unfinished: 0 };
  readonly #bytes = { received: 0, verified: 0, wrong: 0 };
  #requests = 0;
  #retries = 0;

  /** Counts so far, for limits and the live line. */
  get totals() {
    const { due, started, ...ended } = this.#work;
    const underWay = started - ended.finished - ended.failed - ended.unfinished;
    const { received } = this.#bytes;
    return {
      due,
      started,
      ...ended,
      underWay,
      requests: this.#requests,
      bytes: received,
      errors: this.#count(),
    };
  }

  /** The latency so many percent of the whole work so far kept to, milliseconds. */
  atPercentile(percent: number): number {
    return this.#whole().atPercentile(percent);
  }

  due(atMs: number): void {
    this.#work.due += 1;
    this.#at(atMs).due += 1;
  }

  started(atMs: number): void {
    this.#work.started += 1;
    this.#at(atMs).started += 1;
    this.#stand(atMs);
  }

  /** Work ended that was due `tookMs` ago. */
  ended(end: WorkEnd, atMs: number, tookMs: number): void {
    this.#work[end] += 1;
    const second = this.#at(atMs);
    if (end === 'finished') second.finished += 1;
    second.longestMs = Math.max(second.longestMs, Math.round(tookMs));
    this.#stand(atMs);
  }

  latency(measure: LoadMeasure, hitClass: string, ms: number): void {
    this.#histogram(measure, hitClass).record(ms);
  }

  requested(atMs: number): void {
    this.#requests += 1;
    this.#at(atMs).requests += 1;
  }

  retried(): void {
    this.#retries += 1;
  }

  received(bytes: number, atMs: number): void {
    this.#bytes.received += bytes;
    this.#at(atMs).bytes += bytes;
  }

  /** Content was asked for, of which the manifest says the size. */
  asked(digest: Digest, size: number): void {
    if (this.#distinct.size < mostDigests && size >= 0) this.#distinct.set(digest, size);
  }

  verified(bytes: number): void {
    this.#bytes.verified += bytes;
  }

  wrong(content: Wrong): void {
    this.#bytes.wrong += content.bytes;
    if (this.#wrong.length < mostExamples) this.#wrong.push(content);
  }

  error(kind: string, example: string, atMs: number): void {
    this.#at(atMs).errors += 1;
    const known = this.#errors.get(kind) ?? { kind, count: 0, example };
    known.count += 1;
    if (this.#errors.size < mostKinds) this.#errors.set(kind, known);
  }

  part(): LoadPart {
    return {
      work: { ...this.#work },
      requests: this.#requests,
      retries: this.#retries,
      latencies: latenciesOf(this.#latencies),
      seconds: this.#seconds.map((second) => ({ ...second })),
      bytes: { ...this.#bytes },
      distinct: Object.fromEntries(this.#distinct),
      wrongContent: [...this.#wrong],
      errors: [...this.#errors.values()],
    };
  }

  #whole(): LatencyHistogram {
    const all = createHistogram();
    for (const [key, histogram] of this.#latencies) if (isWhole(key)) all.add(histogram);
    return all;
  }

  #count(): number {
    return [...this.#errors.values()].reduce((sum, { count }) => sum + count, 0);
  }

  #stand(atMs: number): void {
    const { started, finished, failed, unfinished } = this.#work;
    this.#at(atMs).underWay = Math.max(0, started - finished - failed - unfinished);
  }

  #histogram(measure: LoadMeasure, hitClass: string): LatencyHistogram {
    const key = `${measure} ${hitClass}`;
    const histogram = this.#latencies.get(key) ?? createHistogram();
    this.#latencies.set(key, histogram);
    return histogram;
  }

  /** Seconds in which nothing happened have what was under way before them. */
  #at(atMs: number): Second {
    const wanted = Math.max(0, Math.floor(atMs / 1000));
    while (this.#seconds.length <= wanted) {
      const underWay = this.#seconds.at(-1)?.underWay ?? 0;
      this.#seconds.push({ ...emptySecond(this.#seconds.length), underWay });
    }
    return this.#seconds[wanted] ?? emptySecond(wanted);
  }
}

/** A second in which nothing happened. */
export function emptySecond(second: number): LoadSecond {
  const counts = { due: 0, started: 0, finished: 0, requests: 0, bytes: 0, errors: 0 };
  return { second, ...counts, underWay: 0, longestMs: 0 };
}

/** What an arrival as a whole took: the image, or the only request of one. */
function isWhole(key: string): boolean {
  return key.startsWith('image ') || key.startsWith('other ');
}

function latenciesOf(histograms: ReadonlyMap<string, LatencyHistogram>): MeasuredLatency[] {
  const rows = [...histograms].map(([key, histogram]) => {
    const [measure, ...words] = key.split(' ');
    return { measure: measure as LoadMeasure, class: words.join(' '), ...histogram.summary() };
  });
  return rows.sort((left, right) => orderOf(left) - orderOf(right) || (left.class < right.class ? -1 : 1));
}

function orderOf({ measure }: MeasuredLatency): number {
  return loadMeasures.indexOf(measure);
}

/** All that several generators, or several runs one after another, measured. */
export function mergedParts(parts: readonly LoadPart[]): LoadPart {
  return {
    work: summed(parts.map(({ work }) => work)),
    requests: sum(parts.map(({ requests }) => requests)),
    retries: sum(parts.map(({ retries }) => retries)),
    latencies: mergedLatencies(parts.flatMap(({ latencies }) => latencies)),
    seconds: mergedSeconds(parts),
    bytes: summed(parts.map(({ bytes }) => bytes)),
    distinct: Object.assign({}, ...parts.map(({ distinct }) => distinct)),
    wrongContent: parts.flatMap(({ wrongContent }) => wrongContent).slice(0, mostExamples),
    errors: mergedErrors(parts.flatMap(({ errors }) => errors)),
  };
}

/** The latencies of one measure over all its classes. */
export function wholeLatencies(
  latencies: readonly MeasuredLatency[],
  measures: readonly LoadMeasure[],
): LatencyHistogram {
  const all = createHistogram();
  for (const each of latencies) if (measures.includes(each.measure)) all.add(parseHistogram(each));
  return all;
}

function mergedLatencies(latencies: readonly MeasuredLatency[]): MeasuredLatency[] {
  const merged = new Map<string, LatencyHistogram>();
  for (const each of latencies) {
    const key = `${each.measure} ${each.class}`;
    const histogram = merged.get(key) ?? createHistogram();
    histogram.add(parseHistogram(each));
    merged.set(key, histogram);
  }
  return latenciesOf(merged);
}

function mergedSeconds(parts: readonly LoadPart[]): LoadSecond[] {
  const length = Math.max(0, ...parts.map(({ seconds }) => seconds.length));
  return Array.from({ length }, (_, second) => {
    const same = parts.flatMap(({ seconds }) => seconds[second] ?? emptySecond(second));
    const longestMs = Math.max(...same.map((each) => each.longestMs));
    return { ...summed(same), second, longestMs };
  });
}

function mergedErrors(errors: readonly LoadErrors[]): LoadErrors[] {
  const merged = new Map<string, LoadErrors>();
  for (const { kind, count, example } of errors) {
    const known = merged.get(kind);
    merged.set(kind, { kind, example: known?.example ?? example, count: count + (known?.count ?? 0) });
  }
  return [...merged.values()].sort((left, right) => right.count - left.count);
}

function summed<Counts extends Readonly<Record<keyof Counts, number>>>(all: readonly Counts[]): Counts {
  const [first] = all;
  if (first === undefined) throw new Error('there is no part to add up');
  const names = Object.keys(first) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, sum(all.map((each) => each[name]))])) as Counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
