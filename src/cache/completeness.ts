import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { type Manifest, maxManifestBytes } from '../oci/manifest.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { upTo } from './entries.ts';
import { mostRecorded } from './listed.ts';
import type { ParsedManifests } from './parsed.ts';
import type { StoredCopies } from './stored.ts';

/**
 * Clients choose a mirror at the manifest and stay with it for the blobs. So a manifest is only answered when its blobs
 * are stored or the upstream can deliver them now; otherwise the refusal sends the client to its next mirror.
 */
export interface Completeness {
  /** Resolves when the manifest may be answered; throws `UNAVAILABLE` when its blobs could not be. */
  check(descriptor: Descriptor, bytes: Uint8Array): Promise<void>;
  /** Whether `check` would resolve without looking anywhere. */
  isKnown(digest: Digest): boolean;
  /** The digest left the store: nothing is known to be complete any more. */
  forget(digest: Digest): void;
}

export interface CompletenessOptions {
  readonly upstream: Upstream;
  readonly copies: StoredCopies;
  readonly parsed: ParsedManifests;
  /** How many complete manifests are remembered. */
  readonly maxEntries: number;
  readonly now: () => number;
}

/** For this long it is believed that the upstream can deliver what is missing: a popular cold image is asked about often. */
const deliverableMs = 1_000;

const mostWide = 1_000;

/** Of an index that lists more, the upstream is asked sooner than all are looked for. */
const mostChildren = 1_000;

/** Nothing is known to be complete yet. */
export function completeness(options: CompletenessOptions): Completeness {
  const { upstream, copies, parsed, maxEntries, now } = options;
  /** Whether it is an image that somebody may want for its own sake, too. */
  const complete = new LRUCache<Digest, { readonly isImage: boolean }>(upTo(maxEntries));
  /** Lists more than is looked for: never known to be complete. */
  const wide = new LRUCache<Digest, true>(upTo(mostWide));
  const deliverable = new LRUCache<Digest, true>({ ...upTo(maxEntries), ttl: deliverableMs, perf: { now } });

  async function isWhole(descriptor: Descriptor, bytes: Uint8Array): Promise<boolean> {
    const { digest } = descriptor;
    if (wide.has(digest)) return false;
    const manifest = parsed.of({ descriptor, bytes });
    if (manifest.blobs.length > mostRecorded) wide.set(digest, true);
    const isFound = await isComplete(manifest);
    if (isFound) complete.set(digest, { isImage: isImage(manifest) });
    return isFound;
  }

  async function areStored(blobs: readonly Descriptor[]): Promise<boolean> {
    if (blobs.length > mostRecorded) return false;
    for (const digest of new Set(blobs.map((blob) => blob.digest)))
      if ((await copies.stat(digest)) === undefined) return false;
    return true;
  }

  /** An index counts as complete with its first complete image: nobody pulls every platform. */
  async function isComplete(manifest: Manifest): Promise<boolean> {
    if (!(await areStored(manifest.blobs))) return false;
    if (manifest.children.length === 0) return true;
    for (const child of manifest.children.slice(0, mostChildren))
      if (await isChildComplete(child)) return true;
    return false;
  }

  async function isChildComplete(child: Descriptor): Promise<boolean> {
    const known = complete.get(child.digest);
    if (known !== undefined) return known.isImage;
    if (child.size > maxManifestBytes || (await copies.stat(child.digest)) === undefined) return false;
    const bytes = await copies.readSmall({ ...child, size: maxManifestBytes });
    const manifest = bytes && parsed.orNone({ descriptor: child, bytes });
    return manifest !== undefined && isImage(manifest) && isComplete(manifest);
  }

  const isKnown = (digest: Digest): boolean => complete.has(digest) || deliverable.has(digest);

  return {
    isKnown,
    async check(descriptor, bytes) {
      const { digest } = descriptor;
      if (isKnown(digest)) return;
      if (await isWhole(descriptor, bytes)) return;
      const isDeliverable = await upstream.isReachable({ manifest: digest });
      if (!isDeliverable)
        throw new RegistryError(
          'UNAVAILABLE',
          'blobs of the manifest are not stored, and the upstream cannot be reached',
          {
            detail: { digest, upstream: upstream.name },
            retryAfterSeconds: 5,
          },
        );
      deliverable.set(digest, true);
    },
    forget: () => complete.clear(),
  };
}

/** False for what BuildKit puts beside the images of an index to attest them: nobody can run it. */
function isImage({ blobs }: Manifest): boolean {
  return !blobs.some(({ mediaType }) => mediaType === 'application/vnd.in-toto+json');
}
