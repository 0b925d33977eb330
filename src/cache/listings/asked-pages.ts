import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { ageMs } from '../../base/time/wait.ts';
import { isNotFound } from '../../oci/errors.ts';
import type { Hit } from '../events.ts';

/** A page of a listing as it is answered. */
export interface ServedPage<Page> {
  readonly page: Page;
  readonly hit: Hit;
  /** Seconds since the upstream last said so, where it could not be asked now. */
  readonly ageSeconds?: number;
}

/** A page, and when the upstream was asked for it, milliseconds since the epoch. */
export interface RememberedPage<Page> {
  readonly page: Page;
  readonly askedAt: number;
}

export interface AskedPagesOptions {
  readonly name: string;
  readonly policy: { readonly freshMs: number; readonly staleMs: number };
  readonly now: () => number;
}

interface PageQuestion<Page> {
  /** Questions under one key are asked once. */
  readonly key: string;
  /** What is held and could be answered. */
  readonly held: () => RememberedPage<Page> | undefined;
  /** More of the same, dearer to find: used only if the upstream fails. Default: none. */
  readonly found?: () => RememberedPage<Page> | undefined;
  readonly ask: () => Promise<Page>;
}

/** Pages of an upstream, requested once while fresh, answered stale when it is down. */
export function askedPages<Page extends { readonly warnings: readonly string[] }>({
  name,
  policy,
  now,
}: AskedPagesOptions): (question: PageQuestion<Page>) => Promise<ServedPage<Page>> {
  const asking = createSingleFlight<Page>();

  function stale({ page, askedAt }: RememberedPage<Page>): ServedPage<Page> {
    const ageSeconds = Math.round(ageMs(askedAt, now()) / 1000);
    const warning = `299 - "${name} could not be asked; this list was last confirmed ${ageSeconds} s ago"`;
    return { page: { ...page, warnings: [...page.warnings, warning] }, hit: 'stale', ageSeconds };
  }

  return async ({ key, held, found, ask }) => {
    const before = held();
    if (before !== undefined && ageMs(before.askedAt, now()) <= policy.freshMs)
      return { page: before.page, hit: 'memory' };
    try {
      return { page: await asking(key, ask), hit: 'upstream' };
    } catch (error) {
      // An older "yes" must not stand in for the upstream's own "no".
      if (isNotFound(error)) throw error;
      const older = held() ?? found?.();
      if (older === undefined || ageMs(older.askedAt, now()) > policy.staleMs) throw error;
      return stale(older);
    }
  };
}
