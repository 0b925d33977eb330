import { createLru } from '../../base/state/lru.ts';
import { mayPass } from '../../base/time/retry.ts';
import { steadied } from '../../base/time/steady.ts';
import { type Clock, withFairTimeout } from '../../base/time/wait.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNotFound, RegistryError } from '../../oci/errors.ts';
import { mediaTypes } from '../../oci/manifest.ts';
import type { Reference, Repository } from '../../oci/reference.ts';
import { isAttachmentTag } from '../../oci/referrers-tag.ts';
import type { Undeliverable } from '../blobs/undeliverable.ts';
import type { CacheEvents } from '../events.ts';
import type { ParsedManifests } from '../records/parsed.ts';
import type { Completeness } from './completeness.ts';
import type { FetchedBehind } from './fetched-behind.ts';
import type { ServedManifest, TagResolver } from './tag-resolver.ts';

export interface ClientManifestsOptions {
  readonly resolved: TagResolver;
  readonly completeness: Completeness;
  readonly undeliverable: Undeliverable;
  readonly behind: FetchedBehind;
  readonly parsed: ParsedManifests;
  /** How long a client waits for anything, milliseconds. */
  readonly longestMs: number;
  readonly clock?: Clock;
  readonly now: () => number;
  readonly events?: Pick<CacheEvents, 'readyFound'>;
}

const mostAbsent = 10_000;

/** The manifests of one upstream as clients get them. */
export class ClientManifests {
  readonly #options: ClientManifestsOptions;
  readonly #indexes: AnsweredIndexes;
  /** Attachments that were once seen not to be there, by repository and tag. */
  readonly #absent = createLru<string, true>(mostAbsent);

  constructor(options: ClientManifestsOptions) {
    this.#options = options;
    this.#indexes = new AnsweredIndexes(options.now);
  }

  /** The result of `resolve` if it is in memory, fresh, and complete. */
  ready(repository: Repository, reference: Reference, userAgent?: string): ServedManifest | undefined {
    const { undeliverable, resolved, completeness } = this.#options;
    if (!undeliverable.isEmpty) return undefined;
    const served = resolved.ready(repository, reference);
    if (served === undefined) return undefined;
    const { digest } = served.descriptor;
    const mayGo =
      completeness.isKnown(digest, userAgent) || (reference.digest !== undefined && this.isChild(digest));
    if (!mayGo) return undefined;
    this.#options.events?.readyFound?.({ repository, digest, checkedAt: served.checkedAt });
    this.#went(served);
    return served;
  }

  /**
   * Throws as TagResolver does, and `UNAVAILABLE` where the client should try its next mirror: what
   * it lists is undeliverable, or nothing is known within `longestMs`.
   */
  resolve(repository: Repository, reference: Reference, userAgent?: string): Promise<ServedManifest> {
    const { longestMs, clock } = this.#options;
    const late = (): never => {
      throw new RegistryError('UNAVAILABLE', `no manifest could be answered within ${longestMs / 1000} s`);
    };
    return withFairTimeout(this.#resolve(repository, reference, userAgent), longestMs, late, clock);
  }

  /** Whether an index that lists that manifest was answered within a minute. */
  isChild(digest: Digest): boolean {
    return this.#indexes.isChild(digest);
  }

  #resolve(repository: Repository, reference: Reference, userAgent?: string): Promise<ServedManifest> {
    const { tag, digest } = reference;
    if (digest !== undefined && this.isChild(digest)) return this.#child(repository, digest);
    if (digest === undefined && isAttachmentTag(tag)) return this.#attachment(repository, reference);
    return this.#image(repository, reference, userAgent);
  }

  async #image(repository: Repository, reference: Reference, userAgent?: string): Promise<ServedManifest> {
    const { resolved, completeness, parsed } = this.#options;
    const served = await resolved.resolve(repository, reference);
    if (served.hit === 'fill') await completeness.refuseWithheld(repository, served, userAgent);
    else await completeness.check(repository, served, userAgent);
    const { digest } = served.descriptor;
    if (isIndex(served) && !this.#indexes.isKnown(digest))
      this.#indexes.lists(digest, parsed.orNone(served)?.children ?? []);
    return this.#passed(repository, reference, served);
  }

  /** No client changes its mirror there, whatever it is answered. */
  async #child(repository: Repository, digest: Digest): Promise<ServedManifest> {
    const { resolved, undeliverable } = this.#options;
    undeliverable.refuseThrottled(repository, digest);
    try {
      const served = await resolved.resolve(repository, { digest });
      undeliverable.came(repository, digest);
      return this.#passed(repository, { digest }, served);
    } catch (error) {
      undeliverable.failed(repository, digest, error);
      throw error;
    }
  }

  /** Absent there too: that is an answer, also while the upstream is down. */
  async #attachment(repository: Repository, reference: Reference): Promise<ServedManifest> {
    const key = `${repository}:${reference.tag}`;
    try {
      const served = await this.#options.resolved.resolve(repository, reference);
      this.#absent.delete(key);
      return this.#passed(repository, reference, served);
    } catch (error) {
      if (isNotFound(error)) this.#absent.set(key, true);
      else if (mayPass(error) && this.#absent.has(key)) throw attachmentUnknown(reference, error);
      throw error;
    }
  }

  #passed(repository: Repository, { tag }: Reference, served: ServedManifest): ServedManifest {
    this.#went(served);
    this.#options.behind.answered(repository, served, tag);
    return served;
  }

  #went(served: ServedManifest): void {
    if (isIndex(served)) this.#indexes.answered(served.descriptor.digest);
  }
}

function isIndex({ descriptor: { mediaType } }: ServedManifest): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList;
}

function attachmentUnknown({ tag }: Reference, cause: unknown): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', 'the repository had no such tag when the upstream was asked', {
    detail: { tag },
    cause,
  });
}

/** Within this time after an index a client asks for the child that it chose, milliseconds. */
const followsMs = 60_000;

const mostIndexes = 1_000;
const mostChildren = 100_000;

/**
 * Which manifests are asked for because an index that lists them was answered: no client leaves its
 * mirror at one of those, whatever it is answered, while a manifest that is asked for by itself is
 * refused so that the client goes elsewhere.
 */
export class AnsweredIndexes {
  readonly #answeredAt = createLru<Digest, number>(mostIndexes);
  /** The index that listed it last. */
  readonly #indexOf = createLru<Digest, Digest>(mostChildren);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = steadied(now);
  }

  /** What the index lists is known. */
  lists(index: Digest, children: readonly Descriptor[]): void {
    for (const { digest } of children) this.#indexOf.set(digest, index);
  }

  /** Whether the index was answered before, so that what it lists need not be read again. */
  isKnown(index: Digest): boolean {
    return this.#answeredAt.has(index);
  }

  /** The index goes out to a client. */
  answered(index: Digest): void {
    this.#answeredAt.set(index, this.#now());
  }

  /** Whether an index that lists the manifest was answered within a minute. */
  isChild(digest: Digest): boolean {
    const index = this.#indexOf.get(digest);
    const at = index === undefined ? undefined : this.#answeredAt.get(index);
    return at !== undefined && this.#now() - at < followsMs;
  }
}
