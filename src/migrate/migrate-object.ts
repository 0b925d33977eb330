import type { Fields } from '../base/text/json.ts';
import { field } from '../base/text/json.ts';
import { backoffMs } from '../base/time/backoff.ts';
import { ApiFailure } from '../kubernetes/failure.ts';
import { changed, changesOf, jsonPatch, type ToldChange } from './changes.ts';
import type { TargetChecks } from './checks.ts';
import { controllerOf, type MigratedKind } from './kinds.ts';
import { type ClusterObjects, placeOf } from './objects.ts';
import type { PullSecrets } from './pull-secrets.ts';
import type { ReferenceRules } from './rules/rules.ts';

/** What became of an object. */
export type ObjectOutcome =
  | { readonly state: 'unchanged'; readonly pinned: number }
  /** Would be changed, were it not for `why`. `owner` is the kind of the one that keeps it. */
  | { readonly state: 'ignored'; readonly why: string; readonly owner?: string }
  | {
      readonly state: 'migrated';
      readonly changes: readonly ToldChange[];
      readonly object: Fields;
      readonly pinned: number;
    };

/** How objects are migrated. */
export interface MigrateContext {
  readonly objects: ClusterObjects;
  /** With the rules. */
  readonly checks: TargetChecks;
  readonly pullSecrets: PullSecrets;
  readonly confirm: boolean;
  readonly signal: AbortSignal;
  /** Waits before a call is repeated. Rejects at the signal. */
  readonly pause: (ms: number) => Promise<void>;
  readonly retried: (error: unknown) => void;
}

const mostTries = 10;
const pauses = { firstMs: 100, longestMs: 10_000, jitter: 0.5 };

/** What would become of the object as it is, and its changes. Throws `MigrationFault`. */
export function assessed(object: Fields, kind: MigratedKind, rules: ReferenceRules): ObjectOutcome {
  const why = whyIgnored(object, kind);
  const { history, rest, pinned } = changesOf(object, why === undefined ? kind : withoutLimits(kind), rules);
  const changes = [...history, ...rest];
  if (changes.length === 0) return { state: 'unchanged', pinned };
  if (why !== undefined) return { state: 'ignored', ...why };
  const told = changes.flatMap((change) => change.told);
  return { state: 'migrated', changes: told, object: changed(object, changes), pinned };
}

/**
 * Makes the changes. A conflict, a time-out or a server that is too busy means: read it again, look
 * what is left, and repeat that. Throws `MigrationFault` and `ApiFailure`.
 */
export async function migrated(
  first: Fields,
  kind: MigratedKind,
  context: MigrateContext,
): Promise<ObjectOutcome> {
  const { objects, checks, signal } = context;
  const done: ToldChange[] = [];
  let object: Fields | undefined = first;
  for (let tries = 1; ; tries += 1) {
    try {
      if (tries > 1) object = await objects.read(kind, placeOf(first, kind), signal);
      if (object === undefined) return { state: 'unchanged', pinned: 0 };
      if (tries > 1) await checks.ask([object], kind);
      return await written(object, kind, done, context);
    } catch (error) {
      if (tries === mostTries || !(await mayRepeat(error, object, kind, context))) throw error;
      context.retried(error);
      await context.pause(pauseMs(error, tries));
    }
  }
}

/** Puts what it changed into `done`, also when it throws. */
async function written(
  object: Fields,
  kind: MigratedKind,
  done: ToldChange[],
  { objects, checks: { rules } }: MigrateContext,
): Promise<ObjectOutcome> {
  const outcome = assessed(object, kind, rules);
  if (outcome.state !== 'migrated')
    return done.length === 0 ? outcome : { state: 'migrated', changes: done, object, pinned: 0 };
  let current = object;
  const place = placeOf(object, kind);
  const { history } = changesOf(current, kind, rules);
  if (history.length > 0) {
    current = await objects.patch(kind, place, 'status', jsonPatch(current, history));
    done.push(...history.flatMap(({ told }) => told));
  }
  // The server may have changed more than what was asked for.
  const { rest } = changesOf(current, kind, rules);
  if (rest.length > 0) {
    current = await objects.patch(kind, place, 'whole', jsonPatch(current, rest));
    done.push(...rest.flatMap(({ told }) => told));
  }
  return { ...outcome, changes: done, object: current };
}

function whyIgnored(object: Fields, { isOver }: MigratedKind): { why: string; owner?: string } | undefined {
  const owner = controllerOf(object);
  if (owner !== undefined) return { why: `${owner.kind}/${owner.name} controls it`, owner: owner.kind };
  return isOver?.(object) === true ? { why: 'it has ended' } : undefined;
}

/** Of what is ignored anyway it does not matter that it cannot be changed. */
function withoutLimits({ isFixed: _isFixed, ...kind }: MigratedKind): MigratedKind {
  return kind;
}

async function mayRepeat(
  error: unknown,
  object: Fields | undefined,
  kind: MigratedKind,
  { objects, signal }: MigrateContext,
): Promise<boolean> {
  if (!(error instanceof ApiFailure) || signal.aborted) return false;
  const { status } = error;
  // The object is gone, or its list became shorter under the patch; else it is an answer.
  if ((status === 404 || status === 422) && object !== undefined) {
    const now = await objects.read(kind, placeOf(object, kind), signal);
    return versionOf(now) !== versionOf(object);
  }
  return isPassing(error);
}

/** Whether the same call may succeed later: silence, conflicts, and servers that are too busy. */
export function isPassing({ kind, status }: ApiFailure): boolean {
  if (kind === 'slow' || kind === 'unreachable') return true;
  return status === 409 || status === 429 || (status !== undefined && status >= 500 && status !== 501);
}

/** After so many tries, milliseconds; a server may say it. */
export function pauseMs(error: unknown, tries: number): number {
  const seconds = error instanceof ApiFailure ? error.retryAfterSeconds : undefined;
  return seconds === undefined ? backoffMs(tries - 1, pauses) : Math.min(seconds, 60) * 1000;
}

function versionOf(object: unknown): unknown {
  return field(field(object, 'metadata'), 'resourceVersion');
}
