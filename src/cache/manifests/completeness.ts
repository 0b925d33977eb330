import { createLru } from '../../base/state/lru.ts';
import { mayPass } from '../../base/time/retry.ts';
import { type Clock, withTimeout } from '../../base/time/wait.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { isManifestType, type Manifest, maxManifestBytes } from '../../oci/manifest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Undeliverable } from '../blobs/undeliverable.ts';
import type { VerifiedStore } from '../blobs/verified-store.ts';
import { mostRecorded, type ParsedManifests, type ReadManifest } from '../records/parsed.ts';

/**
 * Clients choose a mirror at the manifest, and many stay with it for its children and blobs. So a
 * manifest is answered only if they are stored or the upstream can deliver them now, and none of
 * them failed within `withholdMs`; otherwise the refusal sends the client to its next mirror. Of an
 * index only the images count that fit the platform in the `User-Agent`, if there is one.
 */
export interface Completeness {
  /** Resolves when it may be answered; throws `UNAVAILABLE` if what it lists is undeliverable. */
  check(repository: Repository, manifest: ReadManifest, userAgent?: string): Promise<void>;
  /** Throws `UNAVAILABLE` when listed content failed within `withholdMs`; the rest of `check`. */
  refuseWithheld(repository: Repository, manifest: ReadManifest, userAgent?: string): Promise<void>;
  /** Whether `check` would resolve without looking anywhere. */
  isKnown(digest: Digest, userAgent?: string): boolean;
  /** The digest left the store: nothing is known to be complete any more. */
  forget(digest: Digest): void;
}

interface CompletenessOptions {
  readonly upstream: Upstream;
  readonly copies: VerifiedStore;
  readonly parsed: ParsedManifests;
  readonly undeliverable: Undeliverable;
  /** Whether small content is in memory. */
  readonly memory: { has(digest: Digest): boolean };
  /** How many complete manifests are remembered. */
  readonly maxEntries: number;
  readonly now: () => number;
  readonly clock?: Clock | undefined;
}

/** How long a sign of life of the upstream is waited for, before the store is asked, ms. */
const reachableMs = 300;

/** How long "the upstream can deliver the rest" is remembered: a cold image is asked for often. */
const deliverableMs = 1_000;

const mostWide = 1_000;

/** Of an index that lists more, the upstream is asked sooner than all are looked for. */
const mostChildren = 1_000;

/** Whether content can be delivered. */
type Has = (digest: Digest) => Promise<boolean>;

/** Whose images are complete, as `os/architecture`; the others are unknown. */
type Complete = { readonly isForAll: boolean; readonly platforms: ReadonlySet<string> };

const forAll: Complete = { isForAll: true, platforms: new Set() };

/** Nothing is known to be complete yet. */
export function createCompleteness(options: CompletenessOptions): Completeness {
  const { upstream, copies, parsed, undeliverable, memory, maxEntries, now, clock } = options;
  const complete = createLru<Digest, Complete>(maxEntries);
  /** What an incomplete manifest was found to lack, so that it is looked for first. */
  const lacking = createLru<Digest, Digest>(maxEntries);
  /** Lists more than is looked for: never known to be complete. */
  const wide = createLru<Digest, true>(mostWide);
  /** What was answered before: of that, calls to the store find out what is still unknown. */
  const answered = createLru<Digest, true>(maxEntries);
  const deliverable = createLru<Digest, true>(maxEntries, { keepMs: deliverableMs, now });

  const isStored = async (digest: Digest): Promise<boolean> => (await copies.stat(digest)) !== undefined;

  async function missingOf(blobs: readonly Descriptor[], has: Has): Promise<Digest | undefined> {
    for (const digest of new Set(blobs.map((blob) => blob.digest))) if (!(await has(digest))) return digest;
    return undefined;
  }

  async function missingBelow(
    { blobs }: Manifest,
    children: readonly Descriptor[],
    has: Has,
  ): Promise<Digest | undefined> {
    const missing = await missingOf(blobs, has);
    if (missing !== undefined || children.length === 0) return missing;
    for (const child of children) {
      const lacked = await missingInChild(child, has);
      if (lacked !== undefined) return lacked;
    }
    return undefined;
  }

  async function missingInChild(child: Descriptor, has: Has): Promise<Digest | undefined> {
    if (complete.get(child.digest)?.isForAll === true) return undefined;
    const manifest = await storedManifest(child);
    // What another replica has is not read to look below it.
    if (manifest === undefined)
      return has !== isStored && (await has(child.digest)) ? undefined : child.digest;
    return isImage(manifest) ? missingBelow(manifest, manifest.children.filter(mayBeImage), has) : undefined;
  }

  /** Whether this replica and the others have all of it together. */
  async function isHeldByAll(
    repository: Repository,
    manifest: ReadManifest,
    platform: string | undefined,
  ): Promise<boolean> {
    if (upstream.isHeld === undefined) return false;
    const content = parsed.of(manifest);
    if (content.blobs.length > mostRecorded || content.children.length > mostChildren) return false;
    const has = async (digest: Digest): Promise<boolean> =>
      (await isStored(digest)) || (await upstream.isHeld?.(repository, digest)) === true;
    return (await missingBelow(content, chosenFrom(content, platform), has)) === undefined;
  }

  async function storedManifest(child: Descriptor): Promise<Manifest | undefined> {
    if (child.size > maxManifestBytes || !(await isStored(child.digest))) return undefined;
    const bytes = await copies.readSmall({ ...child, size: maxManifestBytes });
    return bytes && parsed.orNone({ descriptor: child, bytes });
  }

  async function isComplete(manifest: ReadManifest, platform: string | undefined): Promise<boolean> {
    const { digest } = manifest.descriptor;
    const lacked = lacking.get(digest);
    if (wide.has(digest) || (lacked !== undefined && !(await isStored(lacked)))) return false;
    const content = parsed.of(manifest);
    if (content.blobs.length > mostRecorded || content.children.length > mostChildren) {
      wide.set(digest, true);
      return false;
    }
    const missing = await missingBelow(content, chosenFrom(content, platform), isStored);
    // What one platform lacks may not concern the next client.
    if (missing === undefined || platform !== undefined) lacking.delete(digest);
    else lacking.set(digest, missing);
    if (missing === undefined) remember(digest, content, platform);
    return missing === undefined;
  }

  /**
   * At the first answer of a manifest an upstream that is there saves the calls to the store that
   * would look for each blob: the client's own reads then say what is stored.
   */
  async function isDeliverableUnseen(manifest: ReadManifest): Promise<boolean> {
    const { digest } = manifest.descriptor;
    if (answered.has(digest)) return false;
    answered.set(digest, true);
    const { blobs, children } = parsed.of(manifest);
    if ([...children, ...blobs].every((each) => copies.knows(each.digest))) return false;
    return withTimeout(upstream.isReachable({ manifest: digest }), reachableMs, () => false, clock);
  }

  function remember(digest: Digest, { children }: Manifest, platform: string | undefined): void {
    const isForAll = platform === undefined || children.length === 0;
    const before = complete.get(digest)?.platforms ?? [];
    complete.set(digest, isForAll ? forAll : { isForAll, platforms: new Set([...before, platform]) });
  }

  function isKnown(digest: Digest, userAgent?: string): boolean {
    const known = complete.get(digest);
    if (known === undefined) return deliverable.has(digest);
    return known.isForAll || known.platforms.has(statedPlatform(userAgent) ?? '') || deliverable.has(digest);
  }

  /** Content that failed within `withholdMs` and did not arrive since. */
  async function failureOf(
    repository: Repository,
    { digest }: Descriptor,
  ): Promise<RegistryError | undefined> {
    const failure = undeliverable.failureOf(repository, digest);
    if (failure === undefined || (!memory.has(digest) && !(await isStored(digest)))) return failure;
    undeliverable.came(repository, digest);
    return undefined;
  }

  async function withheldBelow(
    repository: Repository,
    manifest: Manifest,
    platform: string | undefined,
  ): Promise<Digest | undefined> {
    for (const blob of manifest.blobs)
      if ((await failureOf(repository, blob)) !== undefined) return blob.digest;
    for (const child of chosenFrom(manifest, platform).slice(0, mostChildren)) {
      const failure = await failureOf(repository, child);
      // An index may be sparse: what it lacks for good concerns only those who surely want it.
      if (failure !== undefined && (platform !== undefined || mayPass(failure))) return child.digest;
      const below = await storedManifest(child);
      const withheld = below && (await withheldBelow(repository, below, platform));
      if (withheld !== undefined) return withheld;
    }
    return undefined;
  }

  async function refuseWithheld(
    repository: Repository,
    manifest: ReadManifest,
    userAgent?: string,
  ): Promise<void> {
    if (undeliverable.isEmpty) return;
    const withheld = await withheldBelow(repository, parsed.of(manifest), statedPlatform(userAgent));
    const message = 'a blob or child manifest of this manifest failed less than withholdMs ago';
    if (withheld !== undefined) throw refusal(message, manifest, withheld);
  }

  function refusal(message: string, { descriptor }: ReadManifest, missing?: Digest): RegistryError {
    const detail = { digest: descriptor.digest, upstream: upstream.name, ...(missing && { missing }) };
    return new RegistryError('UNAVAILABLE', message, { detail, retryAfterSeconds: 5 });
  }

  return {
    isKnown,
    refuseWithheld,
    async check(repository, manifest, userAgent) {
      const { digest } = manifest.descriptor;
      await refuseWithheld(repository, manifest, userAgent);
      if (isKnown(digest, userAgent)) return;
      if (!(await isDeliverableUnseen(manifest))) {
        const platform = statedPlatform(userAgent);
        if (await isComplete(manifest, platform)) return;
        const isDeliverable =
          (await upstream.isReachable({ manifest: digest })) ||
          (await isHeldByAll(repository, manifest, platform));
        const message = 'blobs of the manifest are not stored, and the upstream cannot be reached';
        if (!isDeliverable) throw refusal(message, manifest);
      }
      deliverable.set(digest, true);
    },
    forget: () => complete.clear(),
  };
}

/** The children that a client may choose; without one for its platform, any. */
function chosenFrom({ children }: Manifest, platform: string | undefined): readonly Descriptor[] {
  const images = children.filter(mayBeImage);
  const own = platform === undefined ? [] : images.filter((child) => child.platform === platform);
  return own.length > 0 ? own : images;
}

/** BuildKit names no platform for what attests an image; an index may name content of any type. */
function mayBeImage({ platform, mediaType }: Descriptor): boolean {
  return platform !== 'unknown/unknown' && (mediaType === undefined || isManifestType(mediaType));
}

/** False for BuildKit's attestations beside the images of an index: no client runs them. */
function isImage({ blobs }: Manifest): boolean {
  return !blobs.some(({ mediaType }) => mediaType === 'application/vnd.in-toto+json');
}

const os = /(?:^| )os\/([a-z0-9]{1,32})(?: |$)/;
const architecture = /(?:^| )arch\/([a-z0-9_]{1,32})(?: |$)/;

/**
 * The platform for which a client asks, as `os/architecture`, where its `User-Agent` says so, as
 * those of CRI-O and docker do: undefined for one that does not.
 */
export function statedPlatform(userAgent: string | undefined): string | undefined {
  if (userAgent === undefined) return undefined;
  const [, system] = os.exec(userAgent) ?? [];
  const [, processor] = architecture.exec(userAgent) ?? [];
  return system === undefined || processor === undefined ? undefined : `${system}/${processor}`;
}
