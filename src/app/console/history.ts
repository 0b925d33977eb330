import { type Clock, systemClock, type Timer } from '../../base/time/wait.ts';
import type { HistoryPoint } from '../../console/wire/messages.ts';
import { table } from '../../telemetry/metrics/table.ts';
import { MetricsPage } from './metrics-page.ts';

interface TrafficHistoryOptions {
  /** The page of metrics, of all workers. */
  readonly page: () => Promise<string>;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** The page of metrics is read this often, and more often while people look; milliseconds. */
const everyMs = 30_000;
const watchedMs = 10_000;
/** Points of the last hour are all kept, and those of the last day as far apart as this, ms. */
const fineMs = 3_600_000;
const coarseMs = 300_000;
const mostCoarse = 276;
/** Latencies are those of the last five minutes. */
const recentMs = 300_000;
/** Who looks is shown a page that is no older, milliseconds. */
const looksMs = 2_000;

/** Reads that needed no upstream. */
const hitSources: readonly string[] = ['memory', 'store', 'joined', 'redirect', 'member'];

/**
 * What the metrics said over the last day, for the page: counts since the start, from which it
 * makes rates. Reads the page of metrics every 30 s, and more often while people look.
 */
export class TrafficHistory {
  readonly #options: TrafficHistoryOptions;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #isClosed = false;
  #coarse: readonly HistoryPoint[] = [];
  #fine: readonly HistoryPoint[] = [];
  #points: readonly HistoryPoint[] = [];
  /** Pages of the last five minutes, the oldest first. */
  #recent: readonly { readonly at: number; readonly page: MetricsPage }[] = [];
  #takenAt = Number.NEGATIVE_INFINITY;
  #looked: { readonly at: number; readonly page: Promise<MetricsPage> } | undefined;

  constructor(options: TrafficHistoryOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The oldest first. The same list until there is another point. */
  get points(): readonly HistoryPoint[] {
    return this.#points;
  }

  /** The page of about five minutes ago, or the oldest since the start. */
  get before(): MetricsPage {
    return this.#recent[0]?.page ?? new MetricsPage('');
  }

  /** The page now, or of 2 s ago. */
  page(): Promise<MetricsPage> {
    const now = this.#clock.now();
    if (this.#looked === undefined || now - this.#looked.at >= looksMs)
      this.#looked = { at: now, page: this.#read() };
    return this.#looked.page;
  }

  start(): void {
    void this.#round();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
  }

  async #round(): Promise<void> {
    const now = this.#clock.now();
    const isWatched = this.#looked !== undefined && now - this.#looked.at <= watchedMs;
    if (isWatched || now - this.#takenAt >= everyMs) await this.#take(now).catch(() => undefined);
    if (this.#isClosed) return;
    this.#timer = this.#clock.setTimeout(() => void this.#round(), watchedMs);
    this.#timer.unref();
  }

  async #take(now: number): Promise<void> {
    this.#takenAt = now;
    const page = await this.#read();
    this.#recent = [...this.#recent.filter(({ at }) => now - at < recentMs), { at: now, page }];
    const point = pointOf(page, (this.#options.now ?? Date.now)());
    const isFine = ({ at }: HistoryPoint): boolean => point.at - at < fineMs;
    for (const old of this.#fine.filter((each) => !isFine(each)))
      if (old.at - (this.#coarse.at(-1)?.at ?? 0) >= coarseMs) this.#coarse = [...this.#coarse, old];
    this.#coarse = this.#coarse.slice(-mostCoarse);
    this.#fine = [...this.#fine.filter(isFine), point];
    this.#points = [...this.#coarse, ...this.#fine];
  }

  async #read(): Promise<MetricsPage> {
    return new MetricsPage(await this.#options.page());
  }
}

function pointOf(page: MetricsPage, at: number): HistoryPoint {
  const reads = page.by(table.reads[0], 'hit');
  const statuses = page.by(table.requests[0], 'status');
  return {
    at,
    sentBytes: page.sum(table.sent[0]),
    receivedBytes: page.sum(table.received[0]),
    requests: sumOf(statuses, () => true),
    failed: sumOf(statuses, (status) => status.startsWith('5')) + page.sum(table.limited[0]),
    hits: sumOf(reads, (hit) => hitSources.includes(hit)),
    reads: sumOf(reads, () => true),
  };
}

/** The sum of what is under the names that pass. */
export function sumOf(sums: Readonly<Record<string, number>>, passes: (name: string) => boolean): number {
  return Object.entries(sums).reduce((sum, [name, value]) => (passes(name) ? sum + value : sum), 0);
}
