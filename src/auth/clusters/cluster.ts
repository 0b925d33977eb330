import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import type { FailureKind } from '../../kubernetes/failure.ts';
import type { Subject } from '../access.ts';
import type { PathQuestion, Question } from '../question.ts';

/** A cluster's word on a question. */
export interface Verdict {
  /** Only for `status.allowed === true`. */
  readonly allowed: boolean;
  /** The cluster's own `status.reason`, bounded and of printable characters. */
  readonly reason?: string;
  readonly isRemembered?: boolean;
}

/**
 * A Kubernetes cluster that decides on subjects by TokenReview and SubjectAccessReview. Both
 * methods throw `UNAVAILABLE`, with `Retry-After`, when it is slow, down, or refuses the review; a
 * failure is neither yes nor no.
 */
export interface Cluster {
  /** As configured; subjects that it knows carry it. */
  readonly name: string;
  /**
   * Whose token this is; undefined for one that the cluster does not know. The client's address,
   * and whether the token was known before, decide about turns alone.
   */
  review(token: string, address?: string, isKnown?: boolean): MaybePromise<Subject | undefined>;
  /** Whether the subject may what is asked about: a resource of the cluster, or a path. */
  ask(subject: Subject, question: Question | PathQuestion): MaybePromise<Verdict>;
  /** Ends connections and timers. Questions under way fail. */
  close(): Promise<void>;
}

/** Knows what a subject may do, and what it said of that before. */
export interface Judge {
  /** Whether the subject may; throws `UNAVAILABLE` if unknown. A plain value if remembered. */
  ask(subject: Subject, question: Question): MaybePromise<Verdict>;
  /** The remembered answer, if still valid; undefined where `ask` would ask. Never throws. */
  recall(subject: Subject, question: Question): Verdict | undefined;
  /** Whether the last answer was yes, expired or not: such questions go first. Grants nothing. */
  wasAllowed?(subject: Subject, question: Question): boolean;
  /** Whether it was ever allowed something in that namespace: it is asked about first. */
  wasAllowedIn?(subject: Subject, namespace: string): boolean;
}

/** A cluster whose answers are kept for a while. */
export interface RememberedCluster extends Cluster, Omit<Judge, 'ask'> {
  /** Drops what is kept; the next question of each kind is asked again. */
  forget(): void;
}

/** What a cluster reports while it works. All labels come from small closed sets. */
export interface ClusterEvents {
  /** One review was asked; `failed` says in which way it was not answered. */
  reviewed(event: {
    readonly cluster: string;
    readonly kind: 'token' | 'access';
    readonly outcome: 'yes' | 'no' | 'failed';
    readonly failure?: FailureKind;
    readonly status?: number;
    readonly seconds: number;
    /** The user's name of a token that was known. */
    readonly subject?: string;
  }): void;
  /** The keys of service account tokens cannot be fetched: for a while each token is reviewed. */
  keysFailed(event: { readonly cluster: string; readonly error: unknown }): void;
  /** A review was not needed; `shared`: another replica had the token reviewed. */
  remembered(event: { readonly cluster: string; readonly kind: 'token' | 'access' | 'shared' }): void;
}
