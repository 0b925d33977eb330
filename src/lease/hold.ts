import { type Clock, hasSlept, withTimeout } from '../base/time/wait.ts';
import type { LeaseEvents, LeaseMedium, LeaseRecord } from './medium.ts';

/** A lease that we hold: no other takes it before `since + ttlMs` by our clock. */
export interface Hold<Written extends LeaseRecord> {
  readonly holder: string;
  readonly record: Written;
  readonly since: number;
}

interface HoldTerms<Written extends LeaseRecord> {
  readonly name: string;
  readonly medium: LeaseMedium<Written>;
  readonly ttlMs: number;
  /** Without a renewal for this long the lease counts as lost, milliseconds; less than `ttlMs`. */
  readonly renewMs: number;
  /** The pause between two prolongations, milliseconds. */
  readonly retryMs: number;
  readonly events: Pick<Partial<LeaseEvents>, 'failed'>;
  readonly clock: Clock;
}

/**
 * Renews the lease until `over`; resolves to its state, undefined if lost. Never rejects. A call
 * that does not answer takes half of the time at most, so that another one is made.
 */
export async function kept<Written extends LeaseRecord>(
  hold: Hold<Written>,
  { name, medium, ttlMs, renewMs, retryMs, events, clock }: HoldTerms<Written>,
  over: AbortSignal,
): Promise<Hold<Written> | undefined> {
  const leftMs = ({ since }: Hold<Written>) => Math.max(0, since + renewMs - clock.now());
  let current: Hold<Written> | undefined = hold;
  while (current !== undefined && (await hasSlept(Math.min(retryMs, leftMs(current)), over, clock))) {
    const before: Hold<Written> = current;
    const patienceMs = Math.min(renewMs / 2, leftMs(before));
    const renewed = prolonged(before, { medium, ttlMs, clock });
    current = await withTimeout(renewed, patienceMs, undefined, clock).catch((error: unknown) => {
      events.failed?.({ name, error });
      return leftMs(before) > 0 ? before : undefined;
    });
  }
  return current;
}

/** Undefined when another holds it. Our name reveals a write that arrived despite a failure. */
async function prolonged<Written extends LeaseRecord>(
  { holder, record }: Hold<Written>,
  { medium, ttlMs, clock }: Pick<HoldTerms<Written>, 'medium' | 'ttlMs' | 'clock'>,
): Promise<Hold<Written> | undefined> {
  const claim = { holder, ttlMs };
  let since = clock.now();
  let written = await medium.write(claim, record);
  if (written === undefined) {
    const found = await medium.read();
    if (found?.holder !== holder) return undefined;
    since = clock.now();
    written = await medium.write(claim, found);
  }
  return written && { holder, record: written, since };
}
