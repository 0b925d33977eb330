// Room `conditions`: what the service and its parts are like, as Kubernetes writes conditions. In:
// findings of sources. Out: conditions with inertia, published. Imports: base, kubernetes, store.

import type { MaybePromise } from '../base/flow/maybe-promise.ts';
import { fieldsOf, isText } from '../base/text/json.ts';

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** What a part is like at the moment. */
export interface ConditionFinding {
  readonly status: ConditionStatus;
  /** One word or a few, the same each time: for alerts. */
  readonly reason: string;
  /** A sentence for people, without secrets. */
  readonly message: string;
}

/** A finding that counts, and since when its status does. */
export interface Condition extends ConditionFinding {
  /** Such as `UpstreamReachable`. All but `Progressing` and `Degraded` are good when `True`. */
  readonly type: string;
  /** Which one, where there are several: an upstream, a cluster. */
  readonly name?: string;
  /** When the status changed, milliseconds since the epoch. */
  readonly lastTransitionTime: number;
}

/** What a condition does to the three of the service, once it counts. */
export type ConditionEffect =
  /** `False` and `Unknown` are those of `Available`. */
  | 'serves'
  /** `False` makes `Available` false. */
  | 'needed'
  /** `False` makes `Degraded` true. */
  | 'degrades'
  /** `False` makes `Progressing` true. */
  | 'progresses'
  | 'none';

/** A condition that a source tells of. */
export interface ConditionKind {
  readonly type: string;
  readonly name?: string;
  /** How long anything but `True` must last until it counts, in milliseconds. */
  readonly inertiaMs: number;
  readonly effect: ConditionEffect;
}

/** A part that is looked at again and again. */
export interface ConditionSource {
  readonly kinds: readonly ConditionKind[];
  /** The pause between two looks, in milliseconds. */
  readonly everyMs: number;
  /** The pause before the first look, in milliseconds. Default 0. */
  readonly firstMs?: number;
  /** A finding for each kind, in their order; undefined where the last one still holds. */
  look(signal: AbortSignal): MaybePromise<readonly (ConditionFinding | undefined)[]>;
}

/** All conditions at one time. */
export interface ConditionReport {
  /** `Available`, `Progressing`, `Degraded`. */
  readonly conditions: readonly Condition[];
  /** Those of the parts, each with what was found and does not count yet. */
  readonly parts: readonly PartCondition[];
}

export interface PartCondition extends Condition {
  /** What has been found since then, milliseconds since the epoch, and counts from `countsAt`. */
  readonly pending?: ConditionFinding & { readonly since: number; readonly countsAt: number };
}

/** What was found of a condition, whether it counts or not. */
export interface FoundCondition extends ConditionFinding, Pick<Condition, 'type' | 'name'> {}

/** Where conditions are shown. */
export interface ConditionPublisher {
  /** Called after each change; `changed` has those whose status is another one. Never throws. */
  publish(report: ConditionReport, changed: readonly Condition[]): void;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** What a condition is called in texts: its type, and its name where it has one. */
export function conditionText({ type, name }: Pick<Condition, 'type' | 'name'>): string {
  return name === undefined ? type : `${type} ${name}`;
}

const statuses: readonly ConditionStatus[] = ['True', 'False', 'Unknown'];

/** True for a finding, whatever else is in it. */
export function isFinding(value: unknown): value is ConditionFinding {
  const { status, reason, message } = fieldsOf(value);
  return statuses.some((each) => each === status) && isText(reason) && typeof message === 'string';
}

/** True for a condition, whatever else is in it. */
export function isCondition(value: unknown): value is Condition {
  const { type, name, lastTransitionTime } = fieldsOf(value);
  const isNamed = name === undefined || isText(name);
  return isFinding(value) && isText(type) && isNamed && Number.isFinite(lastTransitionTime);
}

/** Whether the condition says that something is wrong, or under way. */
export function isFault({ type, status }: Pick<Condition, 'type' | 'status'>): boolean {
  return status === (type === 'Progressing' || type === 'Degraded' ? 'True' : 'False');
}

/** For parts of our own, in milliseconds. */
export const usualInertiaMs = 120_000;
/** For what others restart, and until a service that is not available is degraded. */
export const longInertiaMs = 300_000;
