import type { Subject } from '../../auth/access.ts';
import type { Reference, Tag } from '../../oci/reference.ts';
import type { Host } from '../../proxy/access/hosts.ts';
import type { Caller } from '../../proxy/operators/operator-access.ts';
import type { RepositoryScope } from '../../store/keys.ts';

/** What a caller of the console may see of the content: what it may pull under any host. */
export interface ContentRights {
  /** Whether the caller sees everything. */
  readonly isAll: boolean;
  /** Of these tags, those that the caller may pull. Throws `UNAVAILABLE` if that is unknown. */
  visible(scope: RepositoryScope, tags: readonly Tag[]): Promise<readonly Tag[]>;
  mayPull(scope: RepositoryScope, reference: Reference): Promise<boolean>;
}

const everything: ContentRights = {
  isAll: true,
  visible: async (_scope, tags) => tags,
  mayPull: async () => true,
};

/** Operators see all; a user of a cluster what the guard of a host lets it pull. */
export function contentRights({ isOperator, subject }: Caller, hosts: readonly Host[]): ContentRights {
  if (isOperator) return everything;
  return subject === undefined
    ? { isAll: false, visible: async () => [], mayPull: async () => false }
    : rightsOf(subject, hosts);
}

function rightsOf(subject: Subject, hosts: readonly Host[]): ContentRights {
  const leadingTo = (name: string) =>
    hosts.filter(({ upstream }) => upstream === undefined || upstream === name);
  return {
    isAll: false,
    async visible(scope, tags) {
      const seen = new Set<Tag>();
      for (const { guard } of leadingTo(scope.upstream)) {
        const shown = guard === undefined ? tags : await guard.visible(subject, scope, tags);
        for (const tag of shown) seen.add(tag);
        if (seen.size === tags.length) break;
      }
      return tags.filter((tag) => seen.has(tag));
    },
    async mayPull(scope, reference) {
      for (const { guard } of leadingTo(scope.upstream)) {
        if (guard === undefined) return true;
        if ((await guard.authorize(subject, { ...scope, reference, action: 'pull' })).allowed) return true;
      }
      return false;
    },
  };
}
