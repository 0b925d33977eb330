import type { LRUCache } from 'lru-cache';

/** That an upstream lacks something. */
export interface Absence {
  /** Where else it was looked for; empty if nowhere. */
  readonly reason: string;
  /** How long ago the upstream said so, milliseconds. */
  readonly ageMs: number;
}

/** Remembers it for as long as the map keeps what has just been said, less its age. */
export function rememberAbsence(
  absent: LRUCache<string, string>,
  key: string,
  { reason = '', ageMs = 0 }: Partial<Absence> = {},
): void {
  absent.set(key, reason, absent.ttl === 0 ? {} : { ttl: Math.max(1, Math.ceil(absent.ttl - ageMs)) });
}

/** Undefined where nothing is known to be absent. */
export function absenceOf(absent: LRUCache<string, string>, key: string): Absence | undefined {
  const reason = absent.get(key);
  if (reason === undefined) return undefined;
  return { reason, ageMs: absent.ttl === 0 ? 0 : Math.max(0, absent.ttl - absent.getRemainingTTL(key)) };
}
