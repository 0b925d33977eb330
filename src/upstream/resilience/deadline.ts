import { fairTimer } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';

/** A question is not answered in its time; see UpstreamOptions.manifestTimeoutMs. */
class Late extends RegistryError {
  constructor(ms: number) {
    super('UNAVAILABLE', `the upstream did not answer within ${ms / 1000} s`);
  }
}

/**
 * What the work resolves to, if that is in time; else its signal aborts with Late. Once it has
 * resolved, its signal follows `signal` alone: a body that was begun may take as long as it takes.
 * Without `ms` there is no limit.
 */
export async function inTime<Value>(
  ms: number | undefined,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  if (ms === undefined) return work(signal);
  const late = new AbortController();
  using _timer = fairTimer(() => late.abort(new Late(ms)), ms);
  return await work(AbortSignal.any([signal, late.signal]));
}

/** Whether the caller aborted, other than by a timeout: no fault of the server. */
export function isGivenUp(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && !(signal.reason instanceof Late);
}
