import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { ageMs } from '../../base/time/wait.ts';
import { isNotFound } from '../../oci/errors.ts';
import type { Hit } from '../events.ts';

/** A page of a listing as it is answered. */
export interface ServedPage<Page> {
  /** With the upstream's own warnings. */
  readonly page: Page;
  readonly hit: Hit;
  /** When the upstream was asked for it, milliseconds since the epoch. */
  readonly askedAt: number;
  /** Seconds since the upstream last said so, where it could not be asked now. */
  readonly ageSeconds?: number;
  /** A warning of ours beside its own. */
  readonly notice?: string;
}

/** A page, and when the upstream was asked for it, milliseconds since the epoch. */
export interface RememberedPage<Page> {
  readonly page: Page;
  readonly askedAt: number;
}

/** What a question brought, and how old that was by then: of a replica's word, milliseconds. */
export type AskedPage<Page> = RememberedPage<Page> & { readonly ageMs: number };

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
  readonly ask: () => Promise<AskedPage<Page>>;
}

/** Pages of an upstream, requested once while fresh, answered stale when it is down. */
export function askedPages<Page>({
  name,
  policy,
  now,
}: AskedPagesOptions): (question: PageQuestion<Page>) => Promise<ServedPage<Page>> {
  const asking = createSingleFlight<AskedPage<Page>>();

  function stale({ page, askedAt }: RememberedPage<Page>): ServedPage<Page> {
    const ageSeconds = Math.round(ageMs(askedAt, now()) / 1000);
    const notice = `299 - "${name} could not be asked; this list was last confirmed ${ageSeconds} s ago"`;
    return { page, hit: 'stale', askedAt, ageSeconds, notice };
  }

  return async ({ key, held, found, ask }) => {
    const before = held();
    if (before !== undefined && ageMs(before.askedAt, now()) <= policy.freshMs)
      return { ...before, hit: 'memory' };
    try {
      const { ageMs: age, ...asked } = await asking(key, ask);
      return age > policy.freshMs ? stale(asked) : { ...asked, hit: 'upstream' };
    } catch (error) {
      // An older "yes" must not stand in for the upstream's own "no".
      if (isNotFound(error)) throw error;
      const older = held() ?? found?.();
      if (older === undefined || ageMs(older.askedAt, now()) > policy.staleMs) throw error;
      return stale(older);
    }
  };
}
