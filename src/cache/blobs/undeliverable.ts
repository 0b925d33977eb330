import { createLru } from '../../base/state/lru.ts';
import { ageMs, type Clock, withFairTimeout } from '../../base/time/wait.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';

interface UndeliverableOptions {
  /** How long after a failure manifests of the content are withheld, ms; 0: not at all. */
  readonly withholdMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface DeliveryFailure {
  readonly refusal: RegistryError;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The upstream wants to be left alone for so long, milliseconds. */
  readonly throttledMs: number;
}

const mostRemembered = 10_000;

/** The pause for an upstream that throttles without `Retry-After`, seconds. */
const throttledSeconds = 1;

/**
 * Blobs and child manifests of one upstream that failed recently. Clients stay with the mirror that
 * gave them a manifest, so manifests that reference such content are refused for `withholdMs`: the
 * refusal sends clients to their next mirror.
 */
export class Undeliverable {
  readonly #failures = createLru<string, DeliveryFailure>(mostRemembered);
  readonly #withholdMs: number;
  readonly #now: () => number;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor({ withholdMs, now }: UndeliverableOptions) {
    this.#withholdMs = withholdMs;
    this.#now = now;
  }

  /** Whether nothing at all is withheld; costs nothing. */
  get isEmpty(): boolean {
    return this.#lastAt === Number.NEGATIVE_INFINITY || ageMs(this.#lastAt, this.#now()) >= this.#withholdMs;
  }

  /** The content could not be delivered under that repository. */
  failed(repository: Repository, digest: Digest, error: unknown): void {
    if (this.#withholdMs === 0 || !(error instanceof RegistryError)) return;
    const { code, retryAfterSeconds = throttledSeconds } = error;
    const throttledMs = code === 'TOOMANYREQUESTS' ? retryAfterSeconds * 1000 : 0;
    const at = this.#now();
    this.#failures.set(keyOf(repository, digest), { refusal: error, at, throttledMs });
    this.#lastAt = at;
  }

  /** The content has come: nothing is withheld for it any more. */
  came(repository: Repository, digest: Digest): void {
    if (this.#failures.size > 0) this.#failures.delete(keyOf(repository, digest));
  }

  /** How the content failed, if that was within `withholdMs`, and it has not come since. */
  failureOf(repository: Repository, digest: Digest): RegistryError | undefined {
    return this.#find(repository, digest)?.refusal;
  }

  /**
   * Throws the earlier refusal while the upstream throttles: the client waits, not we. Otherwise
   * whether the content failed, as in `failureOf`.
   */
  refuseThrottled(repository: Repository, digest: Digest): boolean {
    const found = this.#find(repository, digest);
    if (found !== undefined && ageMs(found.at, this.#now()) < found.throttledMs) throw found.refusal;
    return found !== undefined;
  }

  #find(repository: Repository, digest: Digest): DeliveryFailure | undefined {
    if (this.isEmpty) return undefined;
    const found = this.#failures.get(keyOf(repository, digest));
    return found !== undefined && ageMs(found.at, this.#now()) < this.#withholdMs ? found : undefined;
  }
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${repository} ${digest}`;
}

export interface PatienceOptions {
  /** Told of content that a manifest lists and that cannot be delivered. */
  readonly undeliverable: Undeliverable;
  /** The wait for the first byte, milliseconds; `again` where the content failed recently. */
  readonly patienceMs: { readonly first: number; readonly again: number };
  readonly clock?: Clock;
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
  { undeliverable, patienceMs, clock }: PatienceOptions,
  { repository, digest, isListed }: Awaited,
  open: () => Promise<Opened>,
): Promise<Opened> {
  const hasFailed = undeliverable.refuseThrottled(repository, digest);
  const ms = hasFailed ? patienceMs.again : patienceMs.first;
  const late = (): never => {
    throw new RegistryError('UNAVAILABLE', `the upstream sent no byte of the blob within ${ms / 1000} s`);
  };
  try {
    return await withFairTimeout(open(), ms, late, clock);
  } catch (error) {
    if (isListed) undeliverable.failed(repository, digest, error);
    throw error;
  }
}

/** Of a download whose first bytes came. */
export function brokenOff(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the download of the blob was interrupted');
}
