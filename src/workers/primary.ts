import { type Clock, hasSlept, systemClock, unlessAborted, withTimeout } from '../base/time/wait.ts';
import { workerName } from '../fleet/members/worker-names.ts';
import type { Fork } from './forks.ts';
import type {
  AskMessage,
  JoinedPage,
  ReadyFacts,
  ToWorker,
  Welcome,
  WorkerQuestion,
  WorkerWord,
} from './messages.ts';
import { WorkerQuestions } from './questions.ts';
import { type LateStart, type SlotEnd, type WorkerBegin, WorkerSlot } from './slot.ts';
import type { LineOutput } from './whole-lines.ts';

/** What the primary reports of its workers. */
export interface PrimaryEvents {
  workerReady(event: WorkerBegin): void;
  /** A worker does not begin to serve, and is ended by force. */
  workerLate(event: LateStart): void;
  /** A worker answers nothing, and is ended by force. */
  workerHung(event: { readonly worker: number; readonly pid: number }): void;
  /** A worker ended that was not told to. */
  workerEnded(event: SlotEnd): void;
  /** This one does from now on what is done once. */
  dutyPassed(event: { readonly worker: number }): void;
  /** So many serve now. */
  servingChanged(serving: number): void;
}

/** Adds up the metrics of all workers. */
interface MetricsSum {
  /** All that a worker counts and measures, as it is now. */
  taken(worker: number, metrics: unknown): void;
  /** Its process is gone: what it counted stays counted. */
  ended(worker: number): void;
  /** The page of metrics. */
  text(): Promise<string>;
  /** What belongs to its histograms, for who writes them. */
  exemplars(): unknown;
}

interface PrimaryOptions {
  readonly fork: Fork;
  readonly common: Omit<Welcome, 'number' | 'isOnDuty' | 'settings'>;
  readonly metrics: MetricsSum;
  readonly events: PrimaryEvents;
  /** Where the lines of all workers go. */
  readonly output: LineOutput;
  readonly clock?: Clock;
}

/** Who does not answer in time is left out. A kubelet waits for 1 s, Prometheus for 10 s. */
const answerMs: Readonly<Record<WorkerQuestion, number>> = {
  ready: 800,
  metrics: 2_000,
  // A new index of image streams may take a minute.
  prepare: 90_000,
  alive: 15_000,
};

/** How often a worker is asked whether it lives, milliseconds. */
const aliveEveryMs = 10_000;
/** The second question is that of a primary that was stopped itself, as with its machine. */
const mostSilences = 2;

/**
 * Starts workers, and keeps as many running. It serves nothing itself, so that little can end it.
 * One worker is on duty: it does what is done once for all. Where it ends, another takes over.
 */
export class Primary {
  readonly #options: PrimaryOptions;
  readonly #slots: readonly WorkerSlot[];
  readonly #questions: WorkerQuestions;
  readonly #clock: Clock;
  readonly #left = Promise.withResolvers<void>();
  readonly #ending = new AbortController();
  #duty: WorkerSlot | undefined;
  #state: 'starting' | 'serving' | 'stopping' = 'starting';
  #worstCode = 0;
  /** The text of the settings that all workers have. */
  #settings: string | undefined;
  #pending: Extract<ToWorker, { kind: 'pending' }> | undefined;

  constructor(options: PrimaryOptions) {
    const { fork, common, output, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#questions = new WorkerQuestions(clock);
    this.#settings = common.started;
    const heard = {
      ready: (slot: WorkerSlot, event: WorkerBegin) => this.#ready(slot, event),
      late: (event: LateStart) => options.events.workerLate(event),
      said: (slot: WorkerSlot, message: WorkerWord) => void this.#said(slot, message),
      ended: (slot: WorkerSlot, end: SlotEnd) => this.#ended(slot, end),
    };
    this.#slots = Array.from({ length: common.count }, (_, index) => {
      const number = index + 1;
      const isOnDuty = (): boolean => this.#duty?.number === number;
      const welcome = (): Welcome => ({
        ...common,
        number,
        settings: this.#settings,
        isOnDuty: isOnDuty(),
      });
      return new WorkerSlot({ number, fork, welcome, output, clock, ...heard });
    });
  }

  /**
   * Starts one worker, and once it serves the others: what is wrong with an address shows at the
   * first. Resolves to what the first said, once each other serves or has failed to; to the end of
   * a first one that could not start; to undefined when the signal aborts before.
   */
  async start(signal: AbortSignal): Promise<ReadyFacts | SlotEnd | undefined> {
    const [first, ...others] = this.#slots;
    this.#duty = first;
    try {
      const begun = first && (await unlessAborted(first.fill(), signal));
      if (begun === undefined || !('address' in begun)) return begun;
      this.#state = 'serving';
      await unlessAborted(Promise.all(others.map((slot) => slot.fill())), signal);
      return begun;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  /**
   * All workers take over the settings of this text, or none of them does. Rejects with the words
   * of the first that cannot. What starts afterwards starts by them.
   */
  async reload(settings: string | undefined): Promise<void> {
    const asked = new Map(this.#serving().map((slot) => [slot, slot.process?.forked]));
    if (asked.size === 0) throw new Error('no worker serves');
    const refusals = await Promise.all(
      Array.from(asked.keys(), (slot) => this.#refusal(slot, { question: 'prepare', settings })),
    );
    if (this.#state === 'stopping') return;
    const refusal = refusals.find((text) => text !== undefined);
    if (refusal === undefined) this.#settings = settings;
    for (const slot of this.#slots)
      if (asked.get(slot) === slot.process?.forked)
        slot.send({ kind: 'decide', isTaken: refusal === undefined });
      // It was started by the settings before, and another one starts by these.
      else if (refusal === undefined) slot.kill();
    if (refusal !== undefined) throw new Error(refusal);
  }

  /** These changed settings wait for a restart, or why all of them were refused. */
  pending(settings: readonly string[], refused?: string): void {
    this.#pending = { kind: 'pending', settings, refused };
    for (const slot of this.#serving()) slot.send(this.#pending);
  }

  /** Undefined for one that has prepared them, or whose process is gone. */
  async #refusal(
    slot: WorkerSlot,
    { question, settings }: Pick<AskMessage, 'question' | 'settings'>,
  ): Promise<string | undefined> {
    const { process: asked } = slot;
    const send = (message: AskMessage): void => slot.send({ ...message, settings });
    const answer = await this.#questions.ask(question, send, answerMs[question], asked?.gone);
    if (answer === true || asked !== slot.process) return undefined;
    const why = typeof answer === 'string' ? answer : `no answer within ${answerMs[question] / 1_000} s`;
    return `worker ${slot.number}: ${why}`;
  }

  /** All workers forget what they remember of people. */
  hangUp(): void {
    for (const slot of this.#slots) slot.send({ kind: 'hangup' });
  }

  /** Ends all workers, by force after `withinMs`. Resolves to the highest of their exit codes. */
  async stop(reason: string, withinMs: number): Promise<number> {
    this.#state = 'stopping';
    this.#ending.abort();
    for (const slot of this.#slots) slot.stop(reason);
    this.#look();
    await withTimeout(this.#left.promise, withinMs, () => undefined, this.#clock);
    for (const slot of this.#slots) slot.kill();
    await this.#left.promise;
    return this.#worstCode;
  }

  #ready(slot: WorkerSlot, event: WorkerBegin): void {
    this.#options.events.workerReady(event);
    if (this.#pending !== undefined) slot.send(this.#pending);
    if (this.#duty?.isFilled !== true && this.#state === 'serving') this.#passDuty(slot);
    this.#tellNames();
    void this.#watch(slot);
  }

  /** Ends a process that is stuck: its connections hang, and clients are not let to the others. */
  async #watch(slot: WorkerSlot): Promise<void> {
    const { process: watched } = slot;
    if (watched === undefined) return;
    const { forked, gone } = watched;
    const send = (message: AskMessage): void => slot.send(message);
    for (let silences = 0; silences < mostSilences; ) {
      if (silences === 0 && !(await hasSlept(aliveEveryMs, this.#ending.signal, this.#clock))) return;
      if (slot.process?.forked !== forked) return;
      const answer = await this.#questions.ask('alive', send, answerMs.alive, gone);
      silences = answer === true ? 0 : silences + 1;
    }
    if (slot.process?.forked !== forked || this.#state === 'stopping') return;
    this.#options.events.workerHung({ worker: slot.number, pid: forked.pid });
    slot.kill();
  }

  #ended(slot: WorkerSlot, end: SlotEnd): void {
    const { metrics, events } = this.#options;
    metrics.ended(slot.number);
    if (this.#state === 'stopping') this.#worstCode = Math.max(this.#worstCode, end.code ?? 1);
    if (this.#state === 'serving') events.workerEnded(end);
    const next = this.#slots.find(({ isReady }) => isReady);
    if (this.#duty === slot && next !== undefined && this.#state === 'serving') this.#passDuty(next);
    this.#tellNames();
    this.#look();
  }

  async #said(slot: WorkerSlot, message: WorkerWord): Promise<void> {
    switch (message.kind) {
      case 'answer':
        return this.#questions.answered(message);
      case 'failure':
        if (slot !== this.#duty) this.#duty?.send(message);
        return;
      case 'ask': {
        const { id, question } = message;
        const value = question === 'metrics' ? await this.#metricsPage() : await this.#othersReady(slot);
        slot.send({ kind: 'answer', id, value });
      }
    }
  }

  async #metricsPage(): Promise<JoinedPage> {
    const { metrics } = this.#options;
    await Promise.all(
      this.#serving().map(async (slot) => {
        const value = await this.#asked(slot, 'metrics');
        if (value !== undefined && slot.isReady) metrics.taken(slot.number, value);
      }),
    );
    return { text: await metrics.text(), exemplars: metrics.exemplars() };
  }

  /** One that is being started anew takes no connection, and none of those of the others. */
  async #othersReady(asker: WorkerSlot): Promise<boolean> {
    const others = this.#serving().filter((slot) => slot !== asker);
    const answers = await Promise.all(others.map((slot) => this.#asked(slot, 'ready')));
    return answers.every((answer) => answer === true);
  }

  #asked(slot: WorkerSlot, question: WorkerQuestion): Promise<unknown> {
    return this.#questions.ask(question, (message) => slot.send(message), answerMs[question]);
  }

  #serving(): readonly WorkerSlot[] {
    return this.#slots.filter(({ isReady }) => isReady);
  }

  #passDuty(slot: WorkerSlot): void {
    this.#duty = slot;
    slot.send({ kind: 'duty' });
    this.#options.events.dutyPassed({ worker: slot.number });
  }

  #tellNames(): void {
    const names = this.#serving().map(({ number }) => workerName(number));
    const onDuty = this.#duty && { onDuty: workerName(this.#duty.number) };
    for (const slot of this.#slots) slot.send({ kind: 'workers', names, ...onDuty });
    this.#options.events.servingChanged(names.length);
  }

  #look(): void {
    if (this.#state === 'stopping' && this.#slots.every(({ isEmpty }) => isEmpty)) this.#left.resolve();
  }
}
