import { permitsOf, turnAfter } from '../../upstream/resilience/limits.ts';
import { waitInPause } from '../../upstream/resilience/pauses.ts';
import { pauseAfter } from '../../upstream/resilience/retry.ts';
import type { SimulatedCounts } from '../model/counts.ts';
import type { SimulatedSite, UpstreamBudget } from '../model/settings.ts';
import type { VirtualClock } from '../model/virtual-clock.ts';
import { SharedLink } from './link.ts';

/** What became of a question: the answer is here in full, or when to come again, seconds. */
export type UpstreamOutcome = 'answered' | { readonly retryAfterSeconds: number };

/** One question of a replica. */
export interface UpstreamAsk {
  readonly kind: 'manifest' | 'blob';
  /** Of the body, bytes; 0 for a HEAD. */
  readonly bytes: number;
  readonly done: (outcome: UpstreamOutcome) => void;
}

/** As `upstream/http/options.ts` has it. */
const longestWaitSeconds = 15;

/** What a replica may ask at once of one kind, and what waits for its turn. */
interface Gate {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * The upstream as replicas ask it: each keeps to its share of the limits, obeys pauses that any of
 * them was told, and tries again. One link brings all bodies.
 */
export class SimulatedUpstream {
  readonly #clock: VirtualClock;
  readonly #budget: UpstreamBudget;
  readonly #site: SimulatedSite;
  readonly #tally: SimulatedCounts;
  readonly #random: () => number;
  readonly #link: SharedLink;
  readonly #gates = new Map<string, Gate>();
  readonly #nextTurns: number[];
  readonly #pausedUntil = { manifest: 0, blob: 0 };
  readonly #replicas: number;
  #allowedAt = 0;

  constructor(parts: {
    readonly clock: VirtualClock;
    readonly budget: UpstreamBudget;
    readonly site: SimulatedSite;
    readonly tally: SimulatedCounts;
    readonly random: () => number;
    readonly replicas: number;
  }) {
    this.#clock = parts.clock;
    this.#budget = parts.budget;
    this.#site = parts.site;
    this.#tally = parts.tally;
    this.#random = parts.random;
    this.#replicas = parts.replicas;
    this.#nextTurns = Array.from({ length: parts.replicas }, () => 0);
    this.#link = new SharedLink(parts.clock, parts.site, (from, until, bytes) =>
      this.#tally.link.add(from, until, bytes),
    );
  }

  ask(replica: number, ask: UpstreamAsk): void {
    const { maxConcurrent, maxQueued } = this.#budget;
    const key = `${replica} ${ask.kind}`;
    const gate = this.#gates.get(key) ?? { running: 0, waiting: [] };
    this.#gates.set(key, gate);
    const done = (outcome: UpstreamOutcome): void => {
      gate.running -= 1;
      gate.waiting.shift()?.();
      ask.done(outcome);
    };
    const begin = (): void => {
      gate.running += 1;
      this.#tried(replica, { ...ask, done }, 0);
    };
    if (gate.running < permitsOf(maxConcurrent, 1 / this.#replicas)) begin();
    else if (gate.waiting.length < maxQueued) {
      gate.waiting.push(begin);
      this.#tally.queued(gate.waiting.length);
    } else ask.done({ retryAfterSeconds: 2 });
  }

  #tried(replica: number, ask: UpstreamAsk, attempt: number): void {
    const { requestsPerSecond } = this.#budget;
    const now = this.#clock.now();
    const leftMs = this.#pausedUntil[ask.kind] - now;
    if (leftMs > 0) {
      const isUrgent = ask.kind === 'manifest';
      const waitMs = waitInPause(leftMs, { isUrgent, longestWaitSeconds, random: this.#random });
      if (waitMs === undefined) ask.done({ retryAfterSeconds: Math.ceil(leftMs / 1000) });
      else this.#clock.at(now + waitMs, () => this.#tried(replica, ask, attempt));
      return;
    }
    if (requestsPerSecond === undefined) {
      this.#sent(replica, ask, attempt);
      return;
    }
    const turn = turnAfter(this.#nextTurns[replica] ?? 0, now, requestsPerSecond / this.#replicas);
    this.#nextTurns[replica] = turn.nextAt;
    if (turn.waitMs === 0) this.#sent(replica, ask, attempt);
    else this.#clock.at(now + turn.waitMs, () => this.#sent(replica, ask, attempt));
  }

  #sent(replica: number, ask: UpstreamAsk, attempt: number): void {
    const now = this.#clock.now();
    this.#tally.upstreamRequests.add(now);
    const answerAt = now + this.#site.upstreamLatencyMs;
    if (this.#isAllowed(now))
      this.#clock.at(answerAt, () => this.#link.send(ask.bytes, () => ask.done('answered')));
    else this.#clock.at(answerAt, () => this.#throttled(replica, ask, attempt));
  }

  /** A registry that allows so many requests a second, in bursts of a second's worth. */
  #isAllowed(now: number): boolean {
    const { upstreamAllows } = this.#site;
    if (upstreamAllows === undefined) return true;
    const stepMs = 1000 / upstreamAllows;
    const next = Math.max(this.#allowedAt, now) + stepMs;
    if (next - now > Math.max(1000, stepMs)) return false;
    this.#allowedAt = next;
    return true;
  }

  #throttled(replica: number, ask: UpstreamAsk, attempt: number): void {
    const now = this.#clock.now();
    const { retryAfterSeconds } = this.#site;
    this.#tally.throttled += 1;
    this.#pausedUntil[ask.kind] = Math.max(this.#pausedUntil[ask.kind], now + retryAfterSeconds * 1000);
    const pauseMs =
      ask.kind === 'manifest' || attempt >= this.#budget.retries
        ? undefined
        : pauseAfter(attempt, retryAfterSeconds, this.#random, longestWaitSeconds);
    if (pauseMs === undefined) ask.done({ retryAfterSeconds });
    else this.#clock.at(now + pauseMs, () => this.#tried(replica, ask, attempt + 1));
  }
}
