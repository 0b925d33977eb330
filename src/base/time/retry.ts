/**
 * Whether the same attempt may succeed: `now`, after a pause of seconds; `later`, as retries are
 * used up or something must be mended first; `never`, as the refusal is an answer.
 */
export type Retry = 'now' | 'later' | 'never';

/** What an error says of itself; `now` for one that says nothing. */
function retryOf(error: unknown): Retry {
  const stated = error instanceof Error && 'retry' in error ? error.retry : undefined;
  return stated === 'later' || stated === 'never' ? stated : 'now';
}

/** True for trouble that another attempt, or another mirror, may get past. */
export function mayPass(error: unknown): boolean {
  return retryOf(error) !== 'never';
}
