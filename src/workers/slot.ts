import { backoffMs } from '../base/time/backoff.ts';
import type { Clock, Timer } from '../base/time/wait.ts';
import type { Fork, Forked, WorkerEnd } from './forks.ts';
import type { ReadyFacts, ToWorker, Welcome, WorkerWord } from './messages.ts';
import { type LineOutput, passLines } from './whole-lines.ts';

interface WorkerSlotOptions {
  readonly number: number;
  readonly fork: Fork;
  /** What the next process of this slot is told first. */
  readonly welcome: () => Welcome;
  /** Where the lines of its processes go. */
  readonly output: LineOutput;
  readonly clock: Clock;
  readonly ready: (slot: WorkerSlot, event: WorkerBegin) => void;
  /** A process does not serve in time, and is ended by force. */
  readonly late: (event: LateStart) => void;
  readonly said: (slot: WorkerSlot, message: WorkerWord) => void;
  readonly ended: (slot: WorkerSlot, end: SlotEnd) => void;
}

/** A process serves. */
export interface WorkerBegin {
  readonly worker: number;
  readonly pid: number;
  readonly isSuccessor: boolean;
}

/** A process has not begun to serve. */
export interface LateStart {
  readonly worker: number;
  readonly pid: number;
  readonly waitedMs: number;
}

/** A process is gone. */
export interface SlotEnd extends WorkerEnd {
  readonly worker: number;
  readonly pid: number;
  readonly livedMs: number;
  /** Until the next one starts; undefined where none does. */
  readonly restartMs: number | undefined;
}

/** One that served for so long did not fail by its start, milliseconds. */
const soundMs = 30_000;
/** Above what a slow store or a large set of settings takes, milliseconds. */
const startMs = 300_000;
const restarts = { firstMs: 500, longestMs: 30_000 };

type SlotState =
  | { readonly name: 'empty' }
  | { readonly name: 'waiting'; readonly timer: Timer }
  | ({ readonly name: 'starting' | 'ready' } & SlotProcess);

interface SlotProcess {
  readonly forked: Forked;
  /** Resolves once it has ended. */
  readonly gone: Promise<undefined>;
}

/**
 * One place among the workers, with one process after the other. A process that ends is followed by
 * another: at once where it had served for 30 s, else after a pause that doubles up to 30 s. One
 * that does not serve 300 s after its start is ended by force.
 */
export class WorkerSlot {
  readonly number: number;
  readonly #options: WorkerSlotOptions;
  #state: SlotState = { name: 'empty' };
  #quickEnds = 0;
  #stopReason: string | undefined;

  constructor(options: WorkerSlotOptions) {
    this.number = options.number;
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#state.name === 'ready';
  }

  /** Whether it has a process, serving or not. */
  get isFilled(): boolean {
    return 'forked' in this.#state;
  }

  get isEmpty(): boolean {
    return this.#state.name === 'empty';
  }

  /** Its process, serving or not. */
  get process(): SlotProcess | undefined {
    return 'forked' in this.#state ? this.#state : undefined;
  }

  /** Starts a process; resolves to what it says once it serves, or to its end. */
  fill(isSuccessor = false): Promise<ReadyFacts | SlotEnd> {
    const { number } = this;
    const { fork, welcome, output, clock, ready, late, said } = this.#options;
    const outcome = Promise.withResolvers<ReadyFacts | SlotEnd>();
    const forked = fork();
    const bornAt = clock.now();
    const { promise: gone, resolve: over } = Promise.withResolvers<undefined>();
    this.#state = { name: 'starting', forked, gone };
    const limit = clock.setTimeout(() => {
      late({ worker: number, pid: forked.pid, waitedMs: startMs });
      forked.kill('SIGKILL');
    }, startMs);
    passLines(forked.output, output);
    forked.onMessage((message) => {
      if (message.kind === 'hello') return this.#greet(welcome());
      if (message.kind !== 'ready') return said(this, message);
      limit[Symbol.dispose]();
      this.#state = { name: 'ready', forked, gone };
      ready(this, { worker: number, pid: forked.pid, isSuccessor });
      outcome.resolve(message.facts);
    });
    forked.onExit((end) => {
      limit[Symbol.dispose]();
      outcome.resolve(this.#ended(forked.pid, Math.round(clock.now() - bornAt), end));
      over(undefined);
    });
    return outcome.promise;
  }

  /** Lost where there is no process. */
  send(message: ToWorker): void {
    if ('forked' in this.#state) this.#state.forked.send(message);
  }

  /** From now on no process follows another, and the one that is there is told to end. */
  stop(reason: string): void {
    this.#stopReason = reason;
    this.send({ kind: 'stop', reason });
    if (this.#state.name !== 'waiting') return;
    this.#state.timer[Symbol.dispose]();
    this.#state = { name: 'empty' };
  }

  kill(): void {
    if ('forked' in this.#state) this.#state.forked.kill('SIGKILL');
  }

  #greet(welcome: Welcome): void {
    this.send({ kind: 'welcome', welcome });
    if (this.#stopReason !== undefined) this.send({ kind: 'stop', reason: this.#stopReason });
  }

  #ended(pid: number, livedMs: number, end: WorkerEnd): SlotEnd {
    const { clock, ended } = this.#options;
    const restartMs = this.#stopReason === undefined ? this.#pauseMs(livedMs) : undefined;
    this.#state =
      restartMs === undefined
        ? { name: 'empty' }
        : { name: 'waiting', timer: clock.setTimeout(() => void this.fill(true), restartMs) };
    const whole = { ...end, worker: this.number, pid, livedMs, restartMs };
    ended(this, whole);
    return whole;
  }

  #pauseMs(livedMs: number): number {
    if (livedMs >= soundMs) {
      this.#quickEnds = 0;
      return 0;
    }
    this.#quickEnds += 1;
    return backoffMs(this.#quickEnds - 1, restarts);
  }
}
