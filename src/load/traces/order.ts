import type { Arrival } from '../work.ts';
import type { TraceRequest } from './request.ts';

/** How many requests may wait until those that came before them are read. */
const window = 10_000;

/**
 * Puts requests in the order of their arrival, and counts their time from the first. Logs are
 * written at the end of requests, so the order of lines is another one. A request that is more than
 * 10,000 lines late is due at once.
 */
export class ArrivalOrder {
  readonly #heap: TraceRequest[] = [];
  #startedAtMs: number | undefined;
  #latestMs = 0;
  #late = 0;

  /** Requests that were too late to be put in order. */
  get late(): number {
    return this.#late;
  }

  /** From the first arrival to the last one so far, milliseconds. */
  get spanMs(): number {
    return this.#latestMs;
  }

  /** The arrivals that are certain once this request is known. */
  push(request: TraceRequest): readonly Arrival[] {
    up(this.#heap, request);
    return this.#heap.length > window ? [this.#next()] : [];
  }

  /** All that is left, in order. */
  *end(): Generator<Arrival, void, undefined> {
    while (this.#heap.length > 0) yield this.#next();
  }

  #next(): Arrival {
    const { atMs, node, work } = down(this.#heap);
    this.#startedAtMs ??= atMs;
    const sinceStart = atMs - this.#startedAtMs;
    if (sinceStart < this.#latestMs) this.#late += 1;
    this.#latestMs = Math.max(this.#latestMs, sinceStart);
    return { atMs: this.#latestMs, node, work };
  }
}

/**
 * Spreads the requests of one second over it, in their order: a log with whole seconds would let
 * all of them come at once.
 */
export class SecondSpread {
  #second: TraceRequest[] = [];

  /** The requests of the second before, when this one begins another. */
  push(request: TraceRequest): readonly TraceRequest[] {
    if (request.isWholeSecond !== true) return [request];
    const [first] = this.#second;
    const isSame = first?.atMs === request.atMs && this.#second.length < window;
    const done = isSame ? [] : this.end();
    this.#second.push(request);
    return done;
  }

  end(): readonly TraceRequest[] {
    const all = this.#second;
    this.#second = [];
    return all.map((request, index) => ({
      ...request,
      atMs: request.atMs + (1000 * index) / all.length,
    }));
  }
}

function up(heap: TraceRequest[], request: TraceRequest): void {
  let at = heap.length;
  heap.push(request);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || above.atMs <= request.atMs) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = request;
}

/** Takes the first one out of a heap that is not empty. */
function down(heap: TraceRequest[]): TraceRequest {
  const [first] = heap;
  const last = heap.pop();
  if (first === undefined || last === undefined) throw new Error('nothing waits');
  if (heap.length === 0) return first;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const [a, b] = [heap[left], heap[left + 1]];
    const isRight = b !== undefined && a !== undefined && b.atMs < a.atMs;
    const child = isRight ? b : a;
    if (child === undefined || child.atMs >= last.atMs) break;
    heap[at] = child;
    at = isRight ? left + 1 : left;
  }
  heap[at] = last;
  return first;
}
