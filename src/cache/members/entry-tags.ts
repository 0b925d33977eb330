import { createLru } from '../../base/state/lru.ts';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';

/** What a tag gives a right to, as a key: who may pull one tag of a scope may pull all of them. */
export type TagScope = (scope: RepositoryScope, tag: Tag) => string;

/** How the tags of one repository are held together. */
export interface TagMerging {
  readonly scope: RepositoryScope;
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
  const hasLatest = added.at(-1) === seen.at(-1);
  const gaps = merging.isInherited ? added.length - (hasLatest ? 1 : 0) : 0;
  const ordered = [...added.slice(0, gaps), ...known, ...added.slice(gaps)];
  if (ordered.length <= fewTags) return ordered;
  const kept = withoutCovered(ordered, merging);
  return isSame(kept, known) ? known : kept;
}

/** Whether `after` grants a right that `before` does not: worth a write. Not for covered tags. */
export function isNews(
  before: readonly Tag[],
  after: readonly Tag[],
  { scope, scopeOf }: TagMerging,
): boolean {
  if (before.length < fewTags) return true;
  const scopes = new Set(before.map((tag) => scopeOf(scope, tag)));
  return scopes.size < mostScopes && after.some((tag) => !scopes.has(scopeOf(scope, tag)));
}

function withoutCovered(tags: readonly Tag[], { scope, scopeOf }: TagMerging): readonly Tag[] {
  const scopes = new Set<string>();
  const kept = new Set<Tag>();
  const covered: Tag[] = [];
  for (const tag of tags.toReversed()) {
    const right = scopeOf(scope, tag);
    if (scopes.has(right)) covered.push(tag);
    else if (scopes.size < mostScopes) {
      scopes.add(right);
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

/** Scopes of tags kept in memory, and for how long, milliseconds: rules may change while we run. */
const mostScopesKept = 50_000;
const scopesKeptMs = 600_000;

/** Scopes of tags, as they are remembered. */
interface RememberedScopes {
  readonly scopeOf: TagScope;
  /** What is remembered counts no more. */
  forget(): void;
}

/** Scopes are asked for again and again: each tag of a full record, for each tag that comes. */
export function rememberedScopes(scopeOf: TagScope | undefined): RememberedScopes {
  if (scopeOf === undefined) return { scopeOf: () => '', forget: () => undefined };
  const scopes = createLru<string, string>(mostScopesKept, { keepMs: scopesKeptMs });
  return {
    scopeOf(scope, tag) {
      const key = `${scope.upstream}/${scope.repository}:${tag}`;
      const known = scopes.get(key);
      if (known !== undefined) return known;
      const found = scopeOf(scope, tag);
      scopes.set(key, found);
      return found;
    },
    forget: () => scopes.clear(),
  };
}
