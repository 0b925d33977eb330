// Room `migrate`: makes the objects of a cluster name images where they are now. In: rules and an
// API server. Out: what became of each object. Imports: kubernetes, migrate/rules.

import { concurrently } from '../base/flow/each.ts';
import type { Fields } from '../base/text/json.ts';
import { ApiFailure } from '../kubernetes/failure.ts';
import type { KeptReference } from './checks.ts';
import type { MigratedKind } from './kinds.ts';
import {
  assessed,
  isPassing,
  type MigrateContext,
  migrated,
  type ObjectOutcome,
  pauseMs,
} from './migrate-object.ts';
import { type ObjectPage, type ObjectPlace, placeKey, placeOf } from './objects.ts';
import type { LostLogin } from './pull-secrets.ts';

/** Which objects are looked at. */
export interface MigrationScope {
  /** Default: all, and what has none. */
  readonly namespace: string | undefined;
  /** Keys from this one on, and before that one: `namespace/name`, or the name alone. */
  readonly fromKey: string | undefined;
  readonly toKey: string | undefined;
}

/** A kind, of which all or some objects are looked at. */
export interface WantedObjects {
  readonly kind: MigratedKind;
  /** Undefined: all that there are. */
  readonly places: readonly ObjectPlace[] | undefined;
}

/** What is told while objects are migrated. Must not throw. */
export interface MigrationEvents {
  looked(kind: MigratedKind, place: ObjectPlace, outcome: ObjectOutcome): void;
  failed(kind: MigratedKind, place: ObjectPlace, error: unknown): void;
  /** References of the object that stay, as the new ones are not known to be there. */
  kept(kind: MigratedKind, place: ObjectPlace, references: readonly KeptReference[]): void;
  /** Images of the object for which its pods would have a login no more. */
  loginsLost(kind: MigratedKind, place: ObjectPlace, lost: readonly LostLogin[]): void;
  retried(kind: MigratedKind, place: ObjectPlace, error: unknown): void;
  /** The server has no such kind, or it has no namespace and one was asked for. */
  passedOver(kind: MigratedKind, why: string): void;
  /** Not all of the kind could be read. */
  broken(kind: MigratedKind, error: unknown): void;
}

interface Migration {
  readonly wanted: readonly WantedObjects[];
  readonly scope: MigrationScope;
  readonly context: Omit<MigrateContext, 'retried'>;
  /** Objects at a time. */
  readonly atOnce: number;
  readonly events: MigrationEvents;
}

const mostListTries = 6;

/**
 * Looks at every object that is wanted, page by page, and changes what the rules say. A failure is
 * that of its object, or of its kind; all else goes on. Rejects at the signal alone.
 */
export async function migrateReferences(migration: Migration): Promise<void> {
  for (const wanted of migration.wanted) {
    const { kind, places } = wanted;
    migration.context.signal.throwIfAborted();
    if (migration.scope.namespace !== undefined && !kind.isNamespaced) {
      migration.events.passedOver(kind, 'it has no namespace');
      continue;
    }
    try {
      if (places === undefined) await allOf(kind, migration);
      else await someOf(kind, places, migration);
    } catch (error) {
      migration.context.signal.throwIfAborted();
      const isUnknown = error instanceof ApiFailure && (error.status === 404 || error.status === 405);
      if (isUnknown) migration.events.passedOver(kind, 'this API server does not have it');
      else migration.events.broken(kind, error);
    }
  }
}

async function allOf(kind: MigratedKind, migration: Migration): Promise<void> {
  for (const selector of kind.selectors ?? [undefined]) await listed(kind, selector, migration);
}

/** A list that breaks off, or whose pages expired, begins again; what was looked at is known. */
async function listed(kind: MigratedKind, selector: string | undefined, migration: Migration): Promise<void> {
  const { context, scope } = migration;
  const seen = new Set<string>();
  let next: string | undefined;
  let failures = 0;
  for (;;) {
    try {
      next = await paged(kind, { namespace: scope.namespace, selector, next }, seen, migration);
      if (next === undefined) return;
      failures = 0;
    } catch (error) {
      context.signal.throwIfAborted();
      failures += 1;
      const isExpired = error instanceof ApiFailure && error.status === 410;
      const mayGoOn = error instanceof ApiFailure && (isExpired || isPassing(error));
      if (!mayGoOn || failures === mostListTries) throw error;
      if (isExpired) next = undefined;
      await context.pause(pauseMs(error, failures));
    }
  }
}

/** Looks at one page, then changes what is to be changed. Resolves to the name of the next one. */
async function paged(
  kind: MigratedKind,
  asked: ObjectPage,
  seen: Set<string>,
  migration: Migration,
): Promise<string | undefined> {
  const { objects, signal } = migration.context;
  const read: Fields[] = [];
  const items = objects.page(kind, asked, signal);
  try {
    let item = await items.next();
    for (; item.done !== true; item = await items.next()) {
      const key = placeKey(placeOf(item.value, kind));
      if (seen.has(key)) continue;
      seen.add(key);
      if (isInRange(key, migration.scope)) read.push(item.value);
    }
    return item.value;
  } finally {
    // Also what came before the page broke off: it counts as seen.
    await migration.context.checks.ask(read, kind);
    await concurrently(read, migration.atOnce, (object) => loginsLooked(object, kind, migration));
    const left = read.filter((object) => isLeft(object, kind, migration));
    await concurrently(left, migration.atOnce, (object) => changedOne(object, kind, migration), { signal });
  }
}

/** Tells of an object that needs no change; true for one that does. */
function isLeft(object: Fields, kind: MigratedKind, { context, events }: Migration): boolean {
  const place = placeOf(object, kind);
  try {
    const outcome = assessed(object, kind, context.checks.rules);
    const kept = context.checks.kept(object, kind);
    if (kept.length > 0) events.kept(kind, place, kept);
    if (outcome.state === 'migrated' && context.confirm) return true;
    events.looked(kind, place, outcome);
  } catch (error) {
    events.failed(kind, place, error);
  }
  return false;
}

async function changedOne(object: Fields, kind: MigratedKind, { context, events }: Migration): Promise<void> {
  const place = placeOf(object, kind);
  const retried = (error: unknown) => events.retried(kind, place, error);
  try {
    const outcome = await migrated(object, kind, { ...context, retried });
    if (kind.hasLogins === true && outcome.state === 'migrated')
      context.pullSecrets.renamed(
        place,
        outcome.changes.map(({ from }) => from),
      );
    events.looked(kind, place, outcome);
  } catch (error) {
    if (!context.signal.aborted) events.failed(kind, place, error);
  }
}

/** Before the object is changed: what its pods can pull now is told by what it names now. */
async function loginsLooked(object: Fields, kind: MigratedKind, { context, events }: Migration) {
  const lost = await context.pullSecrets.lost(object, kind);
  if (lost.length > 0) events.loginsLost(kind, placeOf(object, kind), lost);
}

async function someOf(
  kind: MigratedKind,
  places: readonly ObjectPlace[],
  migration: Migration,
): Promise<void> {
  const { context, scope, events, atOnce } = migration;
  const { signal } = context;
  const wanted = places.filter((place) => isInRange(placeKey(place), scope));
  const one = async (place: ObjectPlace) => {
    try {
      const object = await context.objects.read(kind, place, signal);
      if (object === undefined) events.looked(kind, place, { state: 'unchanged', pinned: 0 });
      else {
        await context.checks.ask([object], kind);
        await loginsLooked(object, kind, migration);
        if (isLeft(object, kind, migration)) await changedOne(object, kind, migration);
      }
    } catch (error) {
      if (!signal.aborted) events.failed(kind, place, error);
    }
  };
  await concurrently(wanted, atOnce, one, { signal });
}

function isInRange(key: string, { fromKey, toKey }: MigrationScope): boolean {
  return (fromKey === undefined || key >= fromKey) && (toKey === undefined || key < toKey);
}
