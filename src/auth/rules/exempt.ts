import type { Subject } from '../access.ts';

/**
 * Whether an entry matches the subject: a user name, a prefix of one before `*`, or a group of
 * Kubernetes itself (`system:serviceaccounts`). Other groups never count, as a chosen user name
 * could be a chosen group. Our robots never match.
 */
export function isExempt({ name, groups, cluster }: Subject, entries: readonly string[]): boolean {
  if (cluster === undefined) return false;
  return entries.some((entry) => {
    if (entry.endsWith('*')) return name.startsWith(entry.slice(0, -1));
    return entry === name || (entry.startsWith('system:') && groups.includes(entry));
  });
}
