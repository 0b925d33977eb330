import { LRUCache } from 'lru-cache';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';

/** What a tag gives a right to, as a key: who may pull one tag of a scope may pull all of them. */
type TagScope = (tag: Tag) => string;

export interface TagMerging {
  readonly scopeOf: TagScope;
  /**
   * The tags are those of a manifest above: only the latest was just seen to reference this. The
   * others fill gaps, and never replace a known one.
   */
  readonly isInherited?: boolean;
}

/** Up to here all tags are kept, whatever their scope. */
const fewTags = 64;

/** Above that one tag a scope, of the latest scopes. */
const mostScopes = 1_024;

/**
 * All tags together, the latest last; `known` itself when `seen` adds nothing. A base layer may be
 * under thousands of tags; of too many, tags whose scope another tag covers are dropped first, then
 * the oldest, so that the outcome is deterministic.
 */
export function mergedTags(known: readonly Tag[], seen: readonly Tag[], merging: TagMerging): readonly Tag[] {
  const had = new Set(known);
  const added = seen.filter((tag) => !had.has(tag));
  if (added.length === 0) return known;
  const latest = seen.at(-1);
  const isLate = (tag: Tag): boolean => merging.isInherited !== true || tag === latest;
  const ordered = [...added.filter((tag) => !isLate(tag)), ...known, ...added.filter(isLate)];
  const kept = ordered.length <= fewTags ? ordered : withoutCovered(ordered, merging.scopeOf);
  return isSame(kept, known) ? known : kept;
}

/** Whether `after` grants a right that `before` does not: worth a write. Not for covered tags. */
export function isNews(before: readonly Tag[], after: readonly Tag[], scopeOf: TagScope): boolean {
  if (before.length < fewTags) return true;
  const scopes = new Set(before.map(scopeOf));
  return scopes.size < mostScopes && after.some((tag) => !scopes.has(scopeOf(tag)));
}

function withoutCovered(tags: readonly Tag[], scopeOf: TagScope): readonly Tag[] {
  const scopes = new Set<string>();
  const kept = new Set<Tag>();
  const covered: Tag[] = [];
  for (const tag of tags.toReversed()) {
    const scope = scopeOf(tag);
    if (scopes.has(scope)) covered.push(tag);
    else if (scopes.size < mostScopes) {
      scopes.add(scope);
      kept.add(tag);
    }
  }
  for (const tag of covered) {
    if (kept.size >= fewTags) break;
    kept.add(tag);
  }
  return tags.filter((tag) => kept.has(tag));
}

function isSame(some: readonly Tag[], others: readonly Tag[]): boolean {
  return some.length === others.length && some.every((tag, index) => tag === others[index]);
}

/** Of what one repository has; how tags are held together there. */
export type MergingIn = (scope: RepositoryScope) => TagMerging;

/** Scopes of tags kept in memory, and for how long, milliseconds: rules may change while we run. */
const scopesKept = { max: 50_000, ttl: 600_000 };

/** Scopes are asked for again and again: each tag of a full record, for each tag that comes. */
export function rememberedScopes(
  scopeOf: ((scope: RepositoryScope, tag: Tag) => string) | undefined,
): MergingIn {
  if (scopeOf === undefined) return () => ({ scopeOf: () => '' });
  const scopes = new LRUCache<string, string>(scopesKept);
  return (scope) => ({
    scopeOf(tag) {
      const key = `${scope.upstream}/${scope.repository}:${tag}`;
      const known = scopes.get(key);
      if (known !== undefined) return known;
      const found = scopeOf(scope, tag);
      scopes.set(key, found);
      return found;
    },
  });
}
