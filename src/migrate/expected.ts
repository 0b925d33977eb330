import type { MigratedKind } from './kinds.ts';
import type { MigrationScope, WantedObjects } from './migrate.ts';
import type { ClusterObjects } from './objects.ts';

/** How many objects will be looked at, of the kinds of which that is known. */
export type ExpectedObjects = ReadonlyMap<MigratedKind, number>;

/**
 * Asks for one item of each list that is wanted: its server says how many follow. Resolves to
 * undefined for a range of keys, whose length no server knows. Never rejects: a kind that cannot be
 * counted is left out.
 */
export async function expectedObjects(
  wanted: readonly WantedObjects[],
  { namespace, fromKey, toKey }: MigrationScope,
  objects: Pick<ClusterObjects, 'count'>,
  signal: AbortSignal,
): Promise<ExpectedObjects | undefined> {
  if (fromKey !== undefined || toKey !== undefined) return undefined;
  const counts = await Promise.all(
    wanted.map(async ({ kind, places }): Promise<[MigratedKind, number | undefined]> => {
      if (places !== undefined) return [kind, places.length];
      if (namespace !== undefined && !kind.isNamespaced) return [kind, 0];
      return [kind, await objects.count(kind, namespace, signal).catch(() => undefined)];
    }),
  );
  return new Map(counts.flatMap(([kind, count]) => (count === undefined ? [] : [[kind, count]])));
}
