import type { LRUCache } from 'lru-cache';
import { concurrently } from '../../base/flow/each.ts';
import { createLru } from '../../base/state/lru.ts';
import { mayPass } from '../../base/time/retry.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isManifestType, maxManifestBytes } from '../../oci/manifest.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import { isAttachmentTag } from '../../oci/referrers-tag.ts';
import type { PulledBlobs } from '../blobs/pulled-blobs.ts';
import type { ParsedManifests, ReadManifest } from '../records/parsed.ts';
import type { ManifestReading } from './manifests.ts';

interface FetchedBehindOptions {
  readonly parsed: ParsedManifests;
  readonly reading: Pick<ManifestReading, 'read'>;
  readonly blobs: Pick<PulledBlobs, 'open'>;
  readonly fetchesChildren: boolean;
  /** Blobs of signatures up to this size are fetched, bytes. */
  readonly smallBytes: number;
  readonly now: () => number;
}

/** Behind an answer, so few at a time: clients' own questions come first. */
const atOnce = 2;

/** Of an index that lists more, a client fetches what it wants. */
const mostChildren = 1_000;

/** What failed is tried again behind an answer after this, milliseconds. */
const againMs = 60_000;

const mostRemembered = 10_000;

/**
 * Fetches, behind the answer of a manifest, what its client will need of us and of us alone while
 * the upstream is gone: the children of an index, at which no client changes its mirror, and the
 * small blobs of a signature, of which a client asks only for some.
 */
export class FetchedBehind {
  readonly #options: FetchedBehindOptions;
  readonly #begun: LRUCache<Digest, true>;
  readonly #running = new Set<Promise<void>>();

  constructor(options: FetchedBehindOptions) {
    this.#options = options;
    this.#begun = createLru(mostRemembered, { keepMs: againMs, now: options.now });
  }

  /** The manifest was answered, by that tag if by any. Returns at once. */
  answered(repository: Repository, manifest: ReadManifest, tag: Tag | undefined): void {
    const { digest } = manifest.descriptor;
    if (this.#begun.has(digest)) return;
    const { children, blobs } = this.#options.parsed.of(manifest);
    const isAttachment = tag !== undefined && isAttachmentTag(tag);
    if (children.length > 0 && this.#options.fetchesChildren)
      this.#begin(digest, children.filter(mayBeManifest), (child) =>
        this.#options.reading.read(repository, child),
      );
    else if (isAttachment)
      this.#begin(digest, blobs.filter(this.#isSmall), (blob) => this.#options.blobs.open(repository, blob));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  #begin(digest: Digest, wanted: readonly Descriptor[], fetch: (digest: Digest) => Promise<unknown>): void {
    this.#begun.set(digest, true);
    const done: Promise<void> = concurrently(wanted.slice(0, mostChildren), atOnce, (each) =>
      unlessItPasses(fetch(each.digest)),
    ).then(
      () => void this.#running.delete(done),
      () => void this.#running.delete(done),
    );
    this.#running.add(done);
  }

  readonly #isSmall = ({ size }: Descriptor): boolean => size >= 0 && size <= this.#options.smallBytes;
}

/** What is not there is passed over; an upstream in trouble is not asked for the rest. */
async function unlessItPasses(fetched: Promise<unknown>): Promise<void> {
  try {
    await fetched;
  } catch (error) {
    if (mayPass(error)) throw error;
  }
}

function mayBeManifest({ mediaType, size }: Descriptor): boolean {
  return size <= maxManifestBytes && (mediaType === undefined || isManifestType(mediaType));
}
