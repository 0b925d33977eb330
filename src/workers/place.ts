import { shared } from '../base/flow/single-flight.ts';
import { fieldsOf, isText } from '../base/text/json.ts';
import { type Clock, systemClock } from '../base/time/wait.ts';
import { workerName } from '../fleet/members/worker-names.ts';
import type { FailedRequest } from '../proxy/http/recent-failures.ts';
import type { PrimaryChannel } from './forks.ts';
import type { AskMessage, JoinedPage, ReadyFacts, ToWorker, Welcome, WorkerQuestion } from './messages.ts';
import { WorkerQuestions } from './questions.ts';

/** What the primary asks a worker. Neither rejects. */
export interface WorkerAnswers {
  metrics(): Promise<unknown>;
  isReady(): Promise<boolean>;
}

/** Settings of which everything is made, and which are in force once they are taken. */
interface PreparedSettings {
  take(): void;
  discard(): Promise<void>;
}

/** What a worker does when the settings change. */
interface WorkerReload {
  /** Rejects where something cannot be made; its message tells the operator why. */
  prepare(settings: string | undefined): Promise<PreparedSettings>;
  /** These settings wait for a restart, or why all of them were refused. */
  pending(settings: readonly string[], refused?: string): void;
}

/** The primary answers within this: it waits for the other workers. */
const answerMs: Readonly<Record<'metrics' | 'ready', number>> = { ready: 900, metrics: 4_000 };

/** More failed requests a second are not passed on. */
const mostFailures = 100;

/** A worker's place among the workers of its primary. */
export class WorkerPlace {
  readonly welcome: Welcome;
  readonly name: string;
  /** Aborts with the name of the signal that ended the primary, as the message of its reason. */
  readonly stopping: AbortSignal;
  /** Whether every other worker that serves could answer a pull. */
  readonly areOthersReady: () => Promise<boolean>;
  readonly #channel: PrimaryChannel;
  readonly #questions: WorkerQuestions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #hangups = new Set<() => void>();
  #names: readonly string[] = [];
  #onDutyName: string | undefined;
  #followed: ((names: readonly string[]) => void) | undefined;
  #duty: (() => void) | undefined;
  #isOnDuty: boolean;
  #answers: WorkerAnswers | undefined;
  #reload: WorkerReload | undefined;
  #prepared: PreparedSettings | undefined;
  #failed: ((request: FailedRequest) => void) | undefined;
  #failures = { count: 0, since: 0 };

  constructor(channel: PrimaryChannel, welcome: Welcome, clock: Clock = systemClock) {
    this.#channel = channel;
    this.#clock = clock;
    this.#questions = new WorkerQuestions(clock);
    this.welcome = welcome;
    this.name = workerName(welcome.number);
    this.stopping = this.#stop.signal;
    this.#isOnDuty = welcome.isOnDuty;
    this.areOthersReady = shared(async () => (await this.#asked('ready')) === true);
  }

  /** The worker that does what is done once; undefined until that is known. */
  get onDutyName(): string | undefined {
    return this.#onDutyName;
  }

  /** All workers that serve, now and as they come and go. */
  followNames(listed: (names: readonly string[]) => void): void {
    this.#followed = listed;
    listed(this.#names);
  }

  /** Calls back once this worker is to do what is done once: at once where it is already. */
  onDuty(begin: () => void): void {
    if (this.#isOnDuty) begin();
    else this.#duty = begin;
  }

  /** Learns of requests that failed at other workers while this one is on duty. */
  onFailure(failed: (request: FailedRequest) => void): void {
    this.#failed = failed;
  }

  /** Called at each SIGHUP of the primary, until the result is called. */
  onHangup(heard: () => void): () => void {
    this.#hangups.add(heard);
    return () => this.#hangups.delete(heard);
  }

  answerBy(answers: WorkerAnswers): void {
    this.#answers = answers;
  }

  reloadBy(reload: WorkerReload): void {
    this.#reload = reload;
  }

  /** This worker serves. */
  ready(facts: ReadyFacts): void {
    this.#channel.send({ kind: 'ready', facts });
  }

  /** The metrics of all workers; undefined when the primary does not answer. */
  async metricsPage(): Promise<JoinedPage | undefined> {
    const { text, exemplars } = fieldsOf(await this.#asked('metrics'));
    return isText(text) ? { text, exemplars } : undefined;
  }

  /** A request failed here; passed on to the worker on duty, unless there are too many. */
  failed(request: FailedRequest): void {
    if (this.#isOnDuty) return;
    const now = this.#clock.now();
    if (now - this.#failures.since > 1000) this.#failures = { count: 0, since: now };
    this.#failures.count += 1;
    if (this.#failures.count <= mostFailures) this.#channel.send({ kind: 'failure', request });
  }

  heard(message: ToWorker): void {
    switch (message.kind) {
      case 'welcome':
        break;
      case 'workers':
        this.#names = message.names;
        this.#onDutyName = message.onDuty;
        this.#followed?.(message.names);
        break;
      case 'duty':
        this.#isOnDuty = true;
        this.#duty?.();
        break;
      case 'stop':
        this.#stop.abort(new Error(message.reason));
        break;
      case 'hangup':
        for (const heard of this.#hangups) heard();
        break;
      case 'decide':
        this.#decide(message.isTaken);
        break;
      case 'pending':
        this.#reload?.pending(message.settings, message.refused);
        break;
      case 'answer':
        this.#questions.answered(message);
        break;
      case 'ask':
        void this.#answer(message);
        break;
      case 'failure':
        this.#failed?.(message.request);
    }
  }

  #asked(question: keyof typeof answerMs): Promise<unknown> {
    return this.#questions.ask(question, (message) => this.#channel.send(message), answerMs[question]);
  }

  async #answer({ id, question, settings }: AskMessage): Promise<void> {
    const value = await (question === 'prepare' ? this.#prepare(settings) : this.#told(question));
    if (value !== undefined) this.#channel.send({ kind: 'answer', id, value });
  }

  async #told(question: Exclude<WorkerQuestion, 'prepare'>): Promise<unknown> {
    if (question === 'alive') return true;
    return question === 'metrics' ? this.#answers?.metrics() : this.#answers?.isReady();
  }

  /** True, or why not. */
  async #prepare(settings: string | undefined): Promise<true | string> {
    try {
      // What the primary waited for too long.
      await this.#prepared?.discard();
      this.#prepared = await this.#reload?.prepare(settings);
      return this.#prepared !== undefined || 'it has just started';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** All workers take over the same settings: one that cannot must not serve on. */
  #decide(isTaken: boolean): void {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (!isTaken) void prepared?.discard();
    else if (prepared === undefined) throw new Error('no settings are prepared that could be taken over');
    else prepared.take();
  }
}

/** Waits for the primary's first word. */
export function workerPlace(channel: PrimaryChannel, clock?: Clock): Promise<WorkerPlace> {
  const { promise, resolve } = Promise.withResolvers<WorkerPlace>();
  let place: WorkerPlace | undefined;
  channel.onMessage((message) => {
    if (message.kind === 'welcome') {
      place = new WorkerPlace(channel, message.welcome, clock);
      resolve(place);
    } else place?.heard(message);
  });
  channel.send({ kind: 'hello' });
  return promise;
}
