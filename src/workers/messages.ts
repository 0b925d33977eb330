// Room `workers`: one machine's cores, by several processes that listen on the same sockets. In: a
// way to start processes, their number. Out: a primary that keeps them running; for each worker its
// place among them. Imports: base, fleet/members; types of proxy/http.

import { fieldsOf } from '../base/text/json.ts';
import type { FailedRequest } from '../proxy/http/recent-failures.ts';

/** What a worker is told first. Secrets travel by the channel alone, never by the environment. */
export interface Welcome {
  /** From 1. The process that comes after a crash has the number of the one before it. */
  readonly number: number;
  readonly count: number;
  /** Whether this one does what is done once for all of them. */
  readonly isOnDuty: boolean;
  /** The text of the file of settings at the start of the primary, if there is one. */
  readonly started: string | undefined;
  /** That of the settings in force: what could be taken over of another one has been. */
  readonly settings: string | undefined;
  /** The directory of the sockets between workers; no other user may enter it. */
  readonly directory: string;
  /** Proves a worker to the others. */
  readonly key: string;
  /** Signs tokens while the store, which keeps the secret for all replicas, does not answer. */
  readonly tokenSecret: string;
  /** The name of all workers together before other replicas. */
  readonly instance: string;
}

/** What a worker says once it serves. */
export interface ReadyFacts {
  readonly address: string;
  readonly adminAddress?: string | undefined;
  readonly storeFault?: string | undefined;
  /** What of the store cannot be used. */
  readonly degraded: readonly string[];
}

/**
 * What one end asks the other: all metrics; whether pulls could be answered; whether all of some
 * settings is made, and waits for the decision; nothing but an answer.
 */
export type WorkerQuestion = 'metrics' | 'ready' | 'prepare' | 'alive';

/** All metrics of all workers, as the primary answers it. */
export interface JoinedPage {
  readonly text: string;
  /** What belongs to the histograms of it. */
  readonly exemplars: unknown;
}

export interface AskMessage {
  readonly kind: 'ask';
  readonly id: number;
  readonly question: WorkerQuestion;
  /** Of `prepare`: the text of the file. */
  readonly settings?: string | undefined;
}

interface AnswerMessage {
  readonly kind: 'answer';
  readonly id: number;
  readonly value: unknown;
}

/** A request failed at a worker: the one on duty explains it. */
interface FailureMessage {
  readonly kind: 'failure';
  readonly request: FailedRequest;
}

export type ToWorker =
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  /** The names of all workers that serve, and of the one that does what is done once. */
  | { readonly kind: 'workers'; readonly names: readonly string[]; readonly onDuty?: string }
  /** From now on this one does what is done once. */
  | { readonly kind: 'duty' }
  | { readonly kind: 'stop'; readonly reason: string }
  | { readonly kind: 'hangup' }
  /** Of what was prepared last: whether it is in force from now on. */
  | { readonly kind: 'decide'; readonly isTaken: boolean }
  /** These changed settings wait for a restart; or why all of them were refused. */
  | { readonly kind: 'pending'; readonly settings: readonly string[]; readonly refused: string | undefined }
  | AskMessage
  | AnswerMessage
  | FailureMessage;

export type ToPrimary =
  /** It reads its messages from now on; the first answer is the welcome. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'ready'; readonly facts: ReadyFacts }
  | AskMessage
  | AnswerMessage
  | FailureMessage;

const toWorker: ReadonlySet<unknown> = new Set<ToWorker['kind']>([
  ...(['welcome', 'workers', 'duty', 'stop', 'hangup', 'decide', 'pending'] as const),
  ...(['ask', 'answer', 'failure'] as const),
]);
const toPrimary: ReadonlySet<unknown> = new Set<ToPrimary['kind']>([
  ...(['hello', 'ready', 'ask', 'answer', 'failure'] as const),
]);

/** What a worker that serves may say. */
export type WorkerWord = Exclude<ToPrimary, { readonly kind: 'hello' | 'ready' }>;

/** Whether it is ours: both ends are one program, but libraries may use the channel too. */
export function isToWorker(value: unknown): value is ToWorker {
  return toWorker.has(fieldsOf(value)['kind']);
}

export function isToPrimary(value: unknown): value is ToPrimary {
  return toPrimary.has(fieldsOf(value)['kind']);
}
