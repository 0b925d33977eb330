import type { LRUCache } from 'lru-cache';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { CacheEvents } from '../events.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';

interface BlobMembershipOptions {
  readonly upstream: RegistryReader;
  readonly membership: RepositoryIndex;
  readonly events?: Pick<CacheEvents, 'memberLookedUp'>;
  /** Absent content by repository and digest; its `ttl` bounds how long that is remembered. */
  readonly absent: LRUCache<string, string>;
}

/**
 * Answers whether a blob may be served under a repository. It may after it was seen there: in a
 * manifest answered there, or confirmed by the upstream. Knowing a digest is not a right.
 */
export class BlobMembership {
  readonly #options: BlobMembershipOptions;
  readonly #confirming = createSingleFlight<Descriptor>();

  constructor(options: BlobMembershipOptions) {
    this.#options = options;
  }

  /** What the records say of the blob in that repository; asks no upstream. */
  async find(repository: Repository, digest: Digest): Promise<Descriptor | undefined> {
    const { membership, events } = this.#options;
    const member = await membership.find(this.#scopeOf(repository), digest);
    events?.memberLookedUp?.({ repository, digest, isKnown: member !== undefined });
    return member;
  }

  /** Asks the upstream for the blob's head. Throws `BLOB_UNKNOWN` where the repository has none. */
  confirmed(repository: Repository, digest: Digest): Promise<Descriptor> {
    return this.#confirming(this.#keyOf(repository, digest), () => this.#confirm(repository, digest));
  }

  async add(repository: Repository, descriptor: Descriptor): Promise<void> {
    await this.#options.membership.add(this.#scopeOf(repository), [descriptor]);
  }

  /** Replaces a stated size by that of the bytes that proved right. */
  async correct(
    repository: Repository,
    stated: Descriptor | undefined,
    { digest, size }: Descriptor,
  ): Promise<void> {
    if (stated !== undefined && stated.size >= 0 && stated.size !== size)
      await this.#options.membership.correct(this.#scopeOf(repository), { digest, size });
  }

  /** Throws `BLOB_UNKNOWN` while an absence is believed. */
  refuseAbsent(repository: Repository, digest: Digest): void {
    if (this.#options.absent.has(this.#keyOf(repository, digest))) throw blobUnknown(digest);
  }

  /** The upstream answered that the repository has no such blob. */
  absence(repository: Repository, digest: Digest): RegistryError {
    this.#options.absent.set(this.#keyOf(repository, digest), '');
    return blobUnknown(digest);
  }

  async #confirm(repository: Repository, digest: Digest): Promise<Descriptor> {
    this.refuseAbsent(repository, digest);
    const found = await this.#options.upstream.statBlob(repository, digest);
    if (found === undefined) throw this.absence(repository, digest);
    const descriptor = { digest, size: found.size };
    await this.add(repository, descriptor);
    return descriptor;
  }

  #scopeOf(repository: Repository) {
    return { upstream: this.#options.upstream.name, repository };
  }

  #keyOf(repository: Repository, digest: Digest): string {
    return `${this.#options.upstream.name}/${repository} blob ${digest}`;
  }
}

/** The refusal of a blob that a repository does not have. */
export function blobUnknown(digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', 'the repository has no such blob', { detail: { digest } });
}

/** Whether that is the refusal. */
export function isBlobUnknown(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'BLOB_UNKNOWN';
}
