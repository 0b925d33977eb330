import { LRUCache } from 'lru-cache';
import type { Tag } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { TagMerging } from './entry-tags.ts';

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
