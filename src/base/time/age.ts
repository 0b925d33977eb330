/** Clocks of replicas that are kept in time differ by less, milliseconds. */
const mostSkewMs = 10_000;

/**
 * How long ago something was written down, milliseconds. Infinite for a time that has not come yet:
 * the clock that wrote it was wrong, or ours was, so nothing is known of its age.
 */
export function ageMs(at: number, now: number): number {
  return at - now > mostSkewMs ? Number.POSITIVE_INFINITY : Math.max(0, now - at);
}
