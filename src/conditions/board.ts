import { closeTogether } from '../base/flow/close-all.ts';
import { defined } from '../base/text/defined.ts';
import { oneLine } from '../base/text/one-line.ts';
import { type Clock, hasSlept, systemClock, unlessAborted, withTimeout } from '../base/time/wait.ts';
import {
  type Condition,
  type ConditionFinding,
  type ConditionKind,
  type ConditionPublisher,
  type ConditionReport,
  type ConditionSource,
  type FoundCondition,
  isFault,
} from './condition.ts';
import type { ConditionMemory } from './condition-memory.ts';
import { inertiaOf, type Moment, partCondition, type Settling, settledBy } from './inertia.ts';
import { availableOf, degradedOf, progressingOf, type SummaryType, summaryTypes } from './summary.ts';

interface BoardOptions {
  /** Those to begin with: see `replace`. */
  readonly sources: readonly ConditionSource[];
  readonly publishers: readonly ConditionPublisher[];
  /** What counted before a restart. Default: nothing is remembered. */
  readonly memory?: ConditionMemory;
  /** The inertia of parts of our own; that of others keeps its ratio to it. Default 2 minutes. */
  readonly inertiaMs?: number;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly wall?: () => number;
}

/** How often what is pending is looked at again, milliseconds. */
const everyMs = 2_000;
/** Nothing is published before all sources were asked, or so long after the start. */
const firstRoundMs = 8_000;
/** The longest look, milliseconds. */
const lookMs = 8_000;
/** How long a start waits for what was remembered, and an end for its write, milliseconds. */
const recallMs = 3_000;
/** Other words for the same status and reason are published at most so often, milliseconds. */
const wordsMs = 60_000;

/** Looks at the sources, keeps their conditions and those of the service, and publishes them. */
export class ConditionBoard {
  readonly #options: BoardOptions;
  readonly #clock: Clock;
  readonly #wall: () => number;
  readonly #ending = new AbortController();
  /** Each with what ends its looks. */
  #sources: ReadonlyMap<ConditionSource, AbortController>;
  readonly #running = new Set<Promise<unknown>>();
  #isStarted = false;
  #parts: ReadonlyMap<string, { readonly kind: ConditionKind; state: Settling }> = new Map();
  readonly #found = new Map<string, ConditionFinding>();
  #summary = new Map<SummaryType, Settling>();
  /** The status of each condition when it was last published. */
  readonly #published = new Map<string, ConditionFinding>();
  #isPublishing = false;
  /** When other words may be published again, by the clock. */
  #wordsAt = Number.NEGATIVE_INFINITY;

  constructor(options: BoardOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#wall = options.wall ?? Date.now;
    this.#sources = new Map(options.sources.map((source) => [source, new AbortController()]));
    this.#parts = this.#partsOf(options.sources);
    this.#summary = new Map(summaryTypes.map((type) => [type, this.#starting({ type })]));
  }

  /** Takes up what counted before, then looks until `close`. */
  start(): void {
    this.#isStarted = true;
    this.#runs(this.#run(this.#ending.signal));
  }

  /**
   * These sources from now on. One that stays goes on; a condition that another source tells of now
   * keeps what counts of it; one that no source tells of is gone.
   */
  replace(sources: readonly ConditionSource[]): void {
    const before = this.#sources;
    this.#sources = new Map(sources.map((source) => [source, before.get(source) ?? new AbortController()]));
    for (const [source, ending] of before)
      if (!this.#sources.has(source)) ending.abort(new Error('the source is replaced'));
    const gone = new Set(this.#parts.keys());
    this.#parts = this.#partsOf(sources);
    for (const key of gone.difference(new Set(this.#parts.keys()))) {
      this.#found.delete(key);
      this.#published.delete(key);
    }
    if (!this.#isStarted) return;
    for (const source of sources)
      if (!before.has(source)) this.#runs(this.#follow(source, this.#ending.signal).all);
  }

  /** Looks at all sources at once; resolves to what was found of each, whether it counts or not. */
  async look(): Promise<readonly FoundCondition[]> {
    const { signal } = this.#ending;
    await Promise.all([...this.#sources.keys()].map((source) => this.#look(source, signal)));
    return [...this.#parts].flatMap(([key, { kind }]) => {
      const found = this.#found.get(key);
      return found === undefined ? [] : [{ type: kind.type, ...defined({ name: kind.name }), ...found }];
    });
  }

  report(): ConditionReport {
    return {
      conditions: summaryTypes.flatMap((type) => this.#summary.get(type)?.settled ?? []),
      parts: [...this.#parts.values()].map(({ kind, state }) =>
        partCondition(state, kind.inertiaMs, this.#options.inertiaMs),
      ),
    };
  }

  async close(): Promise<void> {
    this.#ending.abort(new Error('the service is shutting down'));
    await Promise.all(this.#running);
    await closeTogether(this.#options.publishers.map((each) => () => each.close()));
    const remembered = this.#options.memory?.close() ?? Promise.resolve();
    await withTimeout(remembered, recallMs, () => undefined);
  }

  async #run(signal: AbortSignal): Promise<void> {
    await this.#recall();
    const looks = [...this.#sources.keys()].map((source) => this.#follow(source, signal));
    await Promise.all([
      this.#publishAfter(Promise.all(looks.map(({ first }) => first)), signal),
      this.#tick(signal),
      ...looks.map(({ all }) => all),
    ]);
  }

  #runs(work: Promise<unknown>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #partsOf(sources: readonly ConditionSource[]) {
    return new Map(
      sources
        .flatMap(({ kinds }) => kinds)
        .map((kind) => {
          const state = this.#parts.get(keyOf(kind))?.state ?? this.#starting(kind);
          return [keyOf(kind), { kind, state }];
        }),
    );
  }

  async #recall(): Promise<void> {
    const memory = this.#options.memory;
    if (memory === undefined) return;
    const held = await withTimeout(memory.recall(), recallMs, () => [], this.#clock).catch(() => []);
    for (const condition of held) this.#restore(condition);
  }

  #restore(condition: Condition): void {
    const key = keyOf(condition);
    const part = this.#parts.get(key);
    const type = summaryTypes.find((each) => each === key);
    if (part !== undefined) part.state = { settled: condition };
    else if (type !== undefined) this.#summary.set(type, { settled: condition });
    else return;
    this.#published.set(key, condition);
  }

  #follow(source: ConditionSource, ending: AbortSignal) {
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const replaced = this.#sources.get(source)?.signal;
    const signal = replaced === undefined ? ending : AbortSignal.any([ending, replaced]);
    const follow = async (): Promise<void> => {
      const { firstMs = 0 } = source;
      // One that is looked at later holds nothing up.
      if (firstMs > 0) resolve();
      if (firstMs > 0 && !(await hasSlept(firstMs, signal, this.#clock))) return;
      do {
        await this.#look(source, signal);
        resolve();
      } while (await hasSlept(source.everyMs, signal, this.#clock));
    };
    return { first, all: follow().finally(resolve) };
  }

  async #look({ kinds, look }: ConditionSource, signal: AbortSignal): Promise<void> {
    const limit = new AbortController();
    const over = AbortSignal.any([signal, limit.signal]);
    let found: readonly (ConditionFinding | undefined)[];
    try {
      const looked = withTimeout(Promise.try(look, over), lookMs, () => kinds.map(() => silent), this.#clock);
      // Not every source ends at the signal, and an end of the service waits for none.
      found = await unlessAborted(looked, signal);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      found = kinds.map(() => ({ status: 'Unknown', reason: 'CheckFailed', message }));
    } finally {
      limit.abort(new Error('the check took too long'));
    }
    if (signal.aborted) return;
    for (const [index, kind] of kinds.entries()) {
      const finding = found[index];
      if (finding !== undefined) this.#found.set(keyOf(kind), tidy(finding));
    }
    this.#settle();
  }

  async #publishAfter(round: Promise<unknown>, signal: AbortSignal): Promise<void> {
    await withTimeout(round, firstRoundMs, () => undefined, this.#clock);
    if (signal.aborted) return;
    this.#isPublishing = true;
    this.#settle();
  }

  async #tick(signal: AbortSignal): Promise<void> {
    while (await hasSlept(everyMs, signal, this.#clock)) this.#settle();
  }

  #settle(): void {
    const moment = this.#moment();
    const { inertiaMs: usualMs } = this.#options;
    for (const [key, part] of this.#parts) {
      const finding = this.#found.get(key);
      if (finding !== undefined)
        part.state = settledBy(part.state, finding, inertiaOf(finding, part.kind.inertiaMs, usualMs), moment);
    }
    if (!this.#isPublishing) return;
    const weighed = [...this.#parts.values()].map(({ kind, state }) => ({
      effect: kind.effect,
      condition: state.settled,
    }));
    this.#sumUp('Available', availableOf(weighed), moment);
    this.#sumUp('Progressing', progressingOf(weighed), moment);
    const available = this.#summary.get('Available')?.settled;
    if (available !== undefined) this.#sumUp('Degraded', degradedOf(weighed, available, moment.at), moment);
    this.#publish();
  }

  #sumUp(type: SummaryType, finding: ConditionFinding, moment: Moment): void {
    const before = this.#summary.get(type) ?? this.#starting({ type });
    this.#summary.set(type, settledBy(before, finding, 0, moment));
  }

  #publish(): void {
    const report = this.report();
    const all = [...report.conditions, ...report.parts];
    const isNew = all.some((each) => !isSame(this.#published.get(keyOf(each)), each));
    const hasOtherWords = all.some((each) => this.#published.get(keyOf(each))?.message !== each.message);
    if (!isNew && !(hasOtherWords && this.#clock.now() >= this.#wordsAt)) return;
    this.#wordsAt = this.#clock.now() + wordsMs;
    const changed = all.filter((each) => isNews(this.#published.get(keyOf(each)), each));
    for (const each of all) this.#published.set(keyOf(each), each);
    this.#options.memory?.remember(all);
    for (const publisher of this.#options.publishers) publisher.publish(report, changed);
  }

  #starting({ type, name }: Pick<ConditionKind, 'type' | 'name'>): Settling {
    const lastTransitionTime = this.#wall();
    const reason = 'Starting';
    const message = 'not checked yet';
    return {
      settled: { type, ...defined({ name }), status: 'Unknown', reason, message, lastTransitionTime },
    };
  }

  #moment(): Moment {
    return { now: this.#clock.now(), at: this.#wall() };
  }
}

const starting = 'Starting';
const longestReason = 128;
const longestMessage = 500;
const silent: ConditionFinding = {
  status: 'Unknown',
  reason: 'NoAnswer',
  message: `no answer within ${lookMs} ms`,
};

/** Registries, S3 and clusters word some of it, and terminals, logs and a ConfigMap get it. */
function tidy({ status, reason, message }: ConditionFinding): ConditionFinding {
  return {
    status,
    reason: oneLine(reason, longestReason),
    message: oneLine(message, longestMessage),
  };
}

function keyOf({ type, name }: Pick<ConditionKind, 'type' | 'name'>): string {
  return name === undefined ? type : `${type} ${name}`;
}

/** Another status; of what was not known, only that something is wrong. */
function isNews(before: ConditionFinding | undefined, now: Condition): boolean {
  const isFirst = before === undefined || before.reason === starting;
  return isFirst ? isFault(now) : before.status !== now.status;
}

function isSame(before: ConditionFinding | undefined, now: ConditionFinding): boolean {
  return before?.status === now.status && before.reason === now.reason;
}
