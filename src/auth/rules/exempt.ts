import type { Subject } from '../access.ts';

/**
 * Whether one of the entries means the subject: a user's name; one that ends in `*`, the beginning of one; or a group of the cluster's
 * own (`system:serviceaccounts`). Other groups never count, because who may choose a user name could choose that of a group. A
 * robot of ours is no cluster's user, whatever its name.
 */
export function isExempt({ name, groups, cluster }: Subject, entries: readonly string[]): boolean {
  if (cluster === undefined) return false;
  return entries.some((entry) => {
    if (entry.endsWith('*')) return name.startsWith(entry.slice(0, -1));
    return entry === name || (entry.startsWith('system:') && groups.includes(entry));
  });
}
