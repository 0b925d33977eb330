import { hash } from 'node:crypto';
import { isObject } from '../base/text/json.ts';
import type { Subject } from './access.ts';

/** The subject as text, equal for equal rights to ask about: groups and extras sorted, unique. */
export function subjectText({ name, groups, uid, extra, cluster }: Subject): string {
  const ordered = extra && Object.fromEntries(Object.entries(extra).sort(([a], [b]) => byText(a, b)));
  return JSON.stringify({ name, groups: [...new Set(groups)].sort(byText), uid, extra: ordered, cluster });
}

/** The sha256 of a subject's text, in hexadecimal. */
export function subjectId(text: string): string {
  return hash('sha256', text);
}

/** The subject in a text of ours, frozen through and through; undefined when it is none. */
export function parseSubject(text: string): Subject | undefined {
  try {
    const value: unknown = JSON.parse(text, (_key, part: unknown) => Object.freeze(part));
    return isSubject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The user without a login, as Kubernetes names it. */
export const anonymousName = 'system:anonymous';

/** The groups of a named user: those that are given, and those that Kubernetes adds by itself. */
export function groupsOf(name: string, given: readonly string[]): readonly string[] {
  if (name === anonymousName) return [...new Set([...given, 'system:unauthenticated'])];
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name) ?? [];
  const account =
    namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`];
  return [...new Set([...given, ...account, 'system:authenticated'])];
}

function isSubject(value: unknown): value is Subject {
  if (!isObject(value)) return false;
  const { name, groups, uid, extra, cluster } = value;
  return (
    typeof name === 'string' &&
    isTexts(groups) &&
    (uid === undefined || typeof uid === 'string') &&
    (extra === undefined || (isObject(extra) && Object.values(extra).every(isTexts))) &&
    (cluster === undefined || typeof cluster === 'string')
  );
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string');
}
