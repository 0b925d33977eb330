import type { ImageDestination, ManifestBytes, Referrer } from '../../src/mirror/endpoints/endpoints.ts';
import { type Bytes, collected, type Descriptor, mismatch } from '../../src/oci/content.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { RegistryError } from '../../src/oci/errors.ts';
import { mediaTypes, parseManifest } from '../../src/oci/manifest.ts';
import { type Reference, type Repository, referenceText, type Tag } from '../../src/oci/reference.ts';
import type { RegistryReader, TagPage } from '../../src/oci/registry-reader.ts';
import { type MemoryImage, manifestBytes } from './memory-images.ts';

/** One call to an end, such as `stat-blob team/app sha256:…`. */
interface MemoryCall {
  readonly verb: MemoryVerb;
  readonly repository: Repository;
  readonly reference: string;
}

type MemoryVerb =
  | 'head-manifest'
  | 'get-manifest'
  | 'open-blob'
  | 'referrers'
  | 'tags'
  | 'stat-manifest'
  | 'stat-blob'
  | 'mount-blob'
  | 'put-blob'
  | 'put-manifest'
  | 'tagged-referrers';

/** What an end does badly. All of it may be changed while it runs. */
export interface Misbehaviours {
  /** Refuses a call with what this returns. */
  fails?: (call: MemoryCall) => Error | undefined;
  /** Waits for this before each call is answered. */
  delay?: (call: MemoryCall) => Promise<void>;
  /**
   * Answers the upload of these with 201, once each, and does not keep them; its own HEAD then
   * finds it out.
   */
  lies201?: Set<Digest>;
  /** An upload breaks after so many bytes, and goes on from there. */
  cutsUploadsAfter?: number;
  /** A download breaks after so many bytes, for good. */
  cutsDownloadsAfter?: number;
  /** What it says when the bytes of an upload break off. */
  echoes?: Error;
  refusesSchema1?: boolean;
  refusesMounts?: boolean;
  /** Drops these when a manifest is put that names them, once each, and then misses them. */
  forgets?: Set<Digest>;
  /** Says of these, of that size, that it has them although it does not. */
  pretendsToHave?: Map<Digest, number>;
  /** Takes a manifest although it lacks parts of it. */
  takesPartialManifests?: boolean;
  /** How it lists tags badly, or page by page. */
  pagesTags?: (tags: ReadonlyMap<Tag, Digest>) => Partial<TagPage>;
  /** Has no referrers API. */
  tagsReferrers?: boolean;
  /** Does not say how large a blob is. */
  hidesSizes?: boolean;
}

interface Contents {
  readonly blobs: Map<Digest, Uint8Array>;
  readonly manifests: Map<Digest, ManifestBytes>;
  readonly tags: Map<Tag, Digest>;
}

/** A registry in memory, as both ends of a copy. */
export interface MemoryEnd extends RegistryReader, ImageDestination {
  readonly misbehaviours: Misbehaviours;
  readonly calls: MemoryCall[];
  readonly bytesReceived: () => number;
  contents(repository: Repository): Contents;
  /** Puts an image there, without a call. */
  hold(repository: Repository, image: MemoryImage, tag?: Tag): void;
  /** How often each verb was called. */
  counts(): Partial<Record<MemoryVerb, number>>;
}

/** An empty registry under that name, which behaves but for `misbehaviours`. */
export function memoryEnd(name: string, misbehaviours: Misbehaviours = {}): MemoryEnd {
  const repositories = new Map<Repository, Contents>();
  const calls: MemoryCall[] = [];
  let received = 0;

  const contents = (repository: Repository): Contents => {
    const found = repositories.get(repository) ?? {
      blobs: new Map(),
      manifests: new Map(),
      tags: new Map(),
    };
    repositories.set(repository, found);
    return found;
  };

  async function called(
    verb: MemoryVerb,
    repository: Repository,
    reference: string,
    signal?: AbortSignal,
  ): Promise<Contents> {
    const call = { verb, repository, reference };
    calls.push(call);
    if (misbehaviours.delay !== undefined) await unlessAborted(misbehaviours.delay(call), signal);
    const failure = misbehaviours.fails?.(call);
    if (failure !== undefined) throw failure;
    return contents(repository);
  }

  const manifestAt = ({ manifests, tags }: Contents, reference: Reference): ManifestBytes | undefined => {
    const digest = reference.digest ?? tags.get(reference.tag);
    return digest === undefined ? undefined : manifests.get(digest);
  };

  const referrersOf = (there: Contents, subject: Digest): Descriptor[] =>
    [...there.manifests.values()]
      .filter(({ bytes, descriptor }) => parsed(bytes, descriptor.mediaType)?.subject?.digest === subject)
      .map(({ descriptor }) => descriptor);

  return {
    name,
    misbehaviours,
    calls,
    bytesReceived: () => received,
    contents,

    hold(repository, { manifests, blobs, root }, tag) {
      const there = contents(repository);
      for (const [digest, bytes] of blobs) there.blobs.set(digest, bytes);
      for (const manifest of manifests) there.manifests.set(manifest.descriptor.digest, manifest);
      if (tag !== undefined) there.tags.set(tag, root.descriptor.digest);
    },

    counts() {
      const counts: Partial<Record<MemoryVerb, number>> = {};
      for (const { verb } of calls) counts[verb] = (counts[verb] ?? 0) + 1;
      return counts;
    },

    async manifest(repository, reference, { method = 'GET' } = {}) {
      const verb = method === 'GET' ? 'get-manifest' : 'head-manifest';
      const found = manifestAt(await called(verb, repository, referenceText(reference)), reference);
      if (found === undefined) return { kind: 'absent' };
      const { descriptor, bytes } = found;
      return { kind: 'found', descriptor, warnings: [], ...(method === 'GET' ? { bytes } : {}) };
    },

    async openBlob(repository, digest, { start = 0 } = {}) {
      const bytes = (await called('open-blob', repository, digest)).blobs.get(digest);
      if (bytes === undefined) return undefined;
      const body = cut(bytes.subarray(start), misbehaviours.cutsDownloadsAfter);
      return { size: misbehaviours.hidesSizes ? undefined : bytes.byteLength, body, close() {} };
    },

    async tags(repository) {
      const { tags } = await called('tags', repository, '');
      return { tags: [...tags.keys()], warnings: [], ...misbehaviours.pagesTags?.(tags) };
    },

    async referrers(repository, digest) {
      const manifests = referrersOf(await called('referrers', repository, digest), digest);
      return {
        ...manifestBytes(mediaTypes.ociIndex, { manifests }),
        mediaType: mediaTypes.ociIndex,
        warnings: [],
      };
    },

    async statManifest(repository, reference) {
      const there = await called('stat-manifest', repository, referenceText(reference));
      return manifestAt(there, reference)?.descriptor;
    },

    async statBlob(repository, digest, { signal } = {}) {
      const bytes = (await called('stat-blob', repository, digest, signal)).blobs.get(digest);
      const size = misbehaviours.pretendsToHave?.get(digest) ?? bytes?.byteLength;
      return size === undefined ? undefined : { digest, size };
    },

    async mountBlob(repository, digest, from) {
      const there = await called('mount-blob', repository, digest);
      const bytes = contents(from).blobs.get(digest);
      if (bytes === undefined || misbehaviours.refusesMounts === true) return false;
      there.blobs.set(digest, bytes);
      return true;
    },

    async putBlob(repository, descriptor, open, { signal } = {}) {
      const there = await called('put-blob', repository, descriptor.digest, signal);
      const bytes = await uploaded(open, misbehaviours.cutsUploadsAfter).catch((error: unknown) => {
        throw misbehaviours.echoes ?? error;
      });
      received += bytes.byteLength;
      if (digestOf(bytes) !== descriptor.digest || bytes.byteLength !== descriptor.size) {
        throw mismatch(descriptor, bytes.byteLength);
      }
      if (misbehaviours.lies201?.delete(descriptor.digest)) {
        throw new RegistryError('UPSTREAM_INVALID', 'the registry confirmed an upload that it did not keep');
      }
      misbehaviours.pretendsToHave?.delete(descriptor.digest);
      there.blobs.set(descriptor.digest, bytes);
    },

    async putManifest(repository, reference, manifest) {
      const there = await called('put-manifest', repository, referenceText(reference));
      const { mediaType, digest } = manifest.descriptor;
      const isSchema1 = mediaType.includes('manifest.v1+');
      if (isSchema1 && misbehaviours.refusesSchema1 === true) {
        throw new RegistryError('MANIFEST_INVALID', 'schema 1 is not supported');
      }
      forget(there, manifest, misbehaviours.forgets);
      if (misbehaviours.takesPartialManifests !== true && !isWhole(there, manifest)) {
        throw new RegistryError('MANIFEST_BLOB_UNKNOWN', 'a part of the manifest is not here');
      }
      there.manifests.set(digest, manifest);
      if (reference.tag !== undefined) there.tags.set(reference.tag, digest);
    },

    async taggedReferrers(repository, subject) {
      const there = await called('tagged-referrers', repository, subject);
      if (misbehaviours.tagsReferrers !== true) return undefined;
      const list = there.tags.get(subject.replace(':', '-') as Tag);
      const manifest = list === undefined ? undefined : there.manifests.get(list);
      return manifest === undefined ? [] : referrersIn(manifest);
    },
  };
}

/** Whether everything below the manifest is there too. */
export function isWhole(there: Contents, { bytes, descriptor }: ManifestBytes): boolean {
  const parts = parsed(bytes, descriptor.mediaType);
  return (
    parts === undefined ||
    (parts.blobs.every(({ digest }) => there.blobs.has(digest)) &&
      parts.children.every(({ digest }) => there.manifests.has(digest)))
  );
}

function unlessAborted(delay: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    delay.then(resolve, reject);
  });
}

function parsed(bytes: Uint8Array, mediaType: string) {
  const isKnown = Object.values<string>(mediaTypes).includes(mediaType);
  return isKnown ? parseManifest(bytes, mediaType) : undefined;
}

function referrersIn({ bytes }: ManifestBytes): Referrer[] {
  return (JSON.parse(Buffer.from(bytes).toString()) as { manifests: Referrer[] }).manifests;
}

function forget(there: Contents, { bytes, descriptor }: ManifestBytes, digests?: Set<Digest>): void {
  for (const { digest } of parsed(bytes, descriptor.mediaType)?.blobs ?? []) {
    if (digests?.delete(digest)) there.blobs.delete(digest);
  }
}

async function* cut(bytes: Uint8Array, after = Number.POSITIVE_INFINITY): Bytes {
  if (bytes.byteLength === 0) return;
  yield bytes.subarray(0, after);
  if (bytes.byteLength > after) throw new RegistryError('UNAVAILABLE', 'the registry broke off');
}

async function uploaded(open: (start: number) => Promise<Bytes>, cutAfter?: number): Promise<Uint8Array> {
  const first = await collected(await open(0), 10_000_000);
  if (cutAfter === undefined || first.byteLength <= cutAfter) return first;
  const rest = await collected(await open(cutAfter), 10_000_000);
  return Buffer.concat([first.subarray(0, cutAfter), rest]);
}
