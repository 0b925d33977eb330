import { sleep } from '../../base/time/wait.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import { pauseAfter } from '../resilience/retry.ts';

export interface Confirming extends Cancellable {
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

/**
 * Nothing is there because a registry said so: it is there once it can be seen. `isThere` is told
 * how many looks came before; after the first one there are so many more, in longer and longer
 * pauses.
 */
export async function isSeen(
  isThere: (look: number) => Promise<boolean>,
  looks: number,
  { random, signal }: Confirming,
): Promise<boolean> {
  for (let look = 0; ; look += 1) {
    if (await isThere(look)) return true;
    if (look >= looks) return false;
    await sleep(pauseAfter(look, undefined, random) ?? 0, signal);
  }
}

/** What the registry took and does not have. */
export function unconfirmed(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the registry accepted the content, but does not have it');
}
