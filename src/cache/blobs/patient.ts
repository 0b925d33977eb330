import { withTimeout } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { Undeliverable } from './undeliverable.ts';

export interface PatienceOptions {
  /** Told of content that a manifest lists and that cannot be delivered. */
  readonly undeliverable: Undeliverable;
  /** The wait for the first byte, milliseconds; `again` where the content failed recently. */
  readonly patienceMs: { readonly first: number; readonly again: number };
}

interface Awaited {
  readonly repository: Repository;
  readonly digest: Digest;
  /** Whether a manifest of the repository lists it: what fails of an invented digest is no news. */
  readonly isListed: boolean;
}

/**
 * What the work opens, in a client's time; the work may go on. Throws `UNAVAILABLE` after it, and
 * the last refusal, at once, while the upstream wants to be left alone.
 */
export async function withPatience<Opened>(
  { undeliverable, patienceMs }: PatienceOptions,
  { repository, digest, isListed }: Awaited,
  open: () => Promise<Opened>,
): Promise<Opened> {
  undeliverable.refuseThrottled(repository, digest);
  const ms = undeliverable.failureOf(repository, digest) === undefined ? patienceMs.first : patienceMs.again;
  try {
    return await withTimeout(open(), ms, () => {
      throw new RegistryError('UNAVAILABLE', `the upstream sent no byte of the blob within ${ms / 1000} s`);
    });
  } catch (error) {
    if (isListed) undeliverable.failed(repository, digest, error);
    throw error;
  }
}
