// Room `cache/manifests`: manifests by tag and digest, and whether they may be handed out. In:
// repository and reference. Out: a manifest whose content can be delivered. Imports: base,
// cache/records, oci; types of cache, cache/blobs, store, upstream.

import { LRUCache } from 'lru-cache';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { bytesOf, type Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError, type UpstreamReply } from '../../oci/errors.ts';
import { isManifestType, maxManifestBytes } from '../../oci/manifest.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { ManifestAnswer, RegistryReader } from '../../oci/registry-reader.ts';
import { rootLabel } from '../../oci/root-label.ts';
import { isSignedSchema1 } from '../../oci/schema1.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { VerifiedStore } from '../blobs/verified-store.ts';
import type { CacheEvents, Hit } from '../events.ts';
import { type Absence, absenceOf, rememberAbsence } from '../records/absence.ts';
import { type ParsedManifests, recordedIn } from '../records/parsed.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';
import type { TagPointers } from '../records/tag-pointers.ts';
import { createTagPropagation } from '../records/tag-propagation.ts';

/** A manifest's descriptor; of a manifest the media type is always known. */
type ManifestDescriptor = Descriptor & { readonly mediaType: string };

/** A manifest in memory, byte for byte as the upstream has it. */
export interface HeldManifest {
  readonly descriptor: ManifestDescriptor;
  readonly bytes: Uint8Array;
  readonly hit: Hit;
}

/** A manifest that the upstream answered. */
export type FoundManifest = Extract<ManifestAnswer, { kind: 'found' }>;

/** Manifests for ourselves and not for a client, the cheapest way first. */
export interface ManifestReading {
  /** From memory. */
  peek(repository: Repository, digest: Digest): HeldManifest | undefined;
  /** From memory or the store. */
  stored(repository: Repository, digest: Digest): Promise<HeldManifest | undefined>;
  /** From any source. Throws `MANIFEST_UNKNOWN` when the repository has no such manifest. */
  read(repository: Repository, digest: Digest): Promise<HeldManifest>;
  /** What is known of a missing one; undefined where nothing is. */
  absence(repository: Repository, digest: Digest): Absence | undefined;
}

/**
 * The manifests of one upstream by digest, through the cache. A manifest goes to a client only
 * after its tags, and the requested one, are on the records of all that it lists.
 */
export interface Manifests {
  /**
   * Throws `MANIFEST_UNKNOWN` when the repository has none. `meant` is what the upstream said that
   * the tag means: then it is of the repository even without a record.
   */
  get(repository: Repository, digest: Digest, tag?: Tag, meant?: Descriptor): Promise<HeldManifest>;
  /** What `get` would get at once; undefined if it had to read the store, or to propagate. */
  known(repository: Repository, digest: Digest, tag?: Tag): HeldManifest | undefined;
  /** For our own reading, which does not count as use. */
  readonly reading: ManifestReading;
  /** Keeps what the upstream answered, and who belongs to it, before it is handed to a client. */
  keep(repository: Repository, found: FoundManifest, tag?: Tag): Promise<HeldManifest>;
  /** Resolves once what is being written is written. */
  settled(): Promise<void>;
}

interface ManifestsOptions {
  readonly upstream: RegistryReader;
  readonly membership: RepositoryIndex;
  readonly tags: TagPointers;
  readonly store: CachedBlobs;
  readonly copies: VerifiedStore;
  readonly memory: LRUCache<Digest, Uint8Array>;
  readonly parsed: ParsedManifests;
  readonly absent: LRUCache<string, string>;
  readonly events: CacheEvents;
  readonly touched: (digest: Digest) => void;
  /** Whether a trusted image stream names the manifest: records below then say so. Default: no. */
  readonly isRoot?: (scope: RepositoryScope, digest: Digest) => boolean;
  /** Whether what another replica answers is stored by that one for all. Default: no. */
  readonly isStoredOnce?: boolean;
  readonly now: () => number;
}

/** Signed schema 1 manifests of one upstream kept in memory, bytes. */
const maxSignedBytes = 8 * 1024 * 1024;

/** Manifests over the store, filled from the upstream. */
export function createManifests(options: ManifestsOptions): Manifests {
  const { upstream, membership, tags, store, copies, memory, parsed, absent, events, touched, now } = options;
  const { isRoot, isStoredOnce = false } = options;
  /** Their bytes do not fit their digests, so they stay with the repository that answered them. */
  const signed = new LRUCache<string, HeldManifest>({
    maxSize: maxSignedBytes,
    sizeCalculation: ({ bytes }) => bytes.byteLength || 1,
  });
  const asking = createSingleFlight<HeldManifest>();
  const writing = new Map<Digest, { readonly bytes: Uint8Array; readonly done: Promise<void> }>();

  const labelled = createTagPropagation({
    membership,
    tags,
    parsed,
    remembered: ({ repository }, digest) => peek(repository, digest),
    stored: ({ repository }, digest) => find(repository, digest),
    now,
  });

  const scopeOf = (repository: Repository): RepositoryScope => ({ upstream: upstream.name, repository });
  const keyOf = (repository: Repository, digest: Digest): string =>
    `${upstream.name}/${repository} manifest ${digest}`;

  /** What records of the content below name: the tag that was asked for, or the manifest itself. */
  function labelOf(repository: Repository, digest: Digest, tag?: Tag): Tag | undefined {
    if (tag !== undefined || isRoot === undefined) return tag;
    return isRoot(scopeOf(repository), digest) ? rootLabel(digest) : undefined;
  }

  /** Asks for streams only where the manifest's own label was not propagated recently. */
  function isLabelled(
    repository: Repository,
    { digest, tags: above }: Descriptor & { readonly tags: readonly Tag[] },
    tag?: Tag,
  ): boolean {
    if (tag !== undefined || isRoot === undefined) return labelled.isPropagated(above, tag);
    const label = rootLabel(digest);
    if (label !== undefined && labelled.isPropagated(above, label)) return true;
    return !isRoot(scopeOf(repository), digest) && labelled.isPropagated(above);
  }

  async function get(
    repository: Repository,
    digest: Digest,
    asked?: Tag,
    meant?: Descriptor,
  ): Promise<HeldManifest> {
    const tag = labelOf(repository, digest, asked);
    const local = (await find(repository, digest)) ?? (meant && (await confirmed(repository, meant)));
    if (local !== undefined) touched(digest);
    const manifest = local ?? (await filled(repository, digest));
    await labelled.propagate(scopeOf(repository), manifest, { tag, wasHeld: local !== undefined });
    return manifest;
  }

  async function confirmed(repository: Repository, meant: Descriptor): Promise<HeldManifest | undefined> {
    const local = readable(await readLocal(meant));
    if (local !== undefined) await membership.correct(scopeOf(repository), local.descriptor);
    return local;
  }

  function known(repository: Repository, digest: Digest, tag?: Tag): HeldManifest | undefined {
    const member = membership.known(scopeOf(repository), digest);
    const local = member && isLabelled(repository, member, tag) ? inMemory(repository, member) : undefined;
    if (local !== undefined) touched(digest);
    return local;
  }

  function peek(repository: Repository, digest: Digest): HeldManifest | undefined {
    const member = membership.known(scopeOf(repository), digest);
    return member && readable(inMemory(repository, member));
  }

  async function find(repository: Repository, digest: Digest): Promise<HeldManifest | undefined> {
    const member = await membership.find(scopeOf(repository), digest);
    events.memberLookedUp?.({ repository, digest, isKnown: member !== undefined });
    if (member === undefined) return undefined;
    const copy = inMemory(repository, member) ?? (await readLocal(member));
    events.copyLookedUp?.({ digest, source: copy?.hit ?? 'none' });
    return readable(copy);
  }

  /** A manifest states the types of its children; if one's bytes differ, asks the upstream. */
  function readable(manifest: HeldManifest | undefined): HeldManifest | undefined {
    return manifest !== undefined && parsed.isOne(manifest) ? manifest : undefined;
  }

  /** A record never has the type of a signed schema 1 manifest. */
  function inMemory(repository: Repository, member: Descriptor): HeldManifest | undefined {
    if (member.mediaType !== undefined) return remembered(member);
    const document = signed.get(keyOf(repository, member.digest));
    return document && { ...document, hit: 'memory' };
  }

  function remembered({ digest, mediaType }: Descriptor): HeldManifest | undefined {
    if (!isKeptAs(mediaType)) return undefined;
    const bytes = memory.get(digest) ?? writing.get(digest)?.bytes;
    return bytes && held({ digest, mediaType }, bytes, 'memory');
  }

  async function readLocal(member: Descriptor): Promise<HeldManifest | undefined> {
    const { digest, mediaType } = member;
    if (!isKeptAs(mediaType)) return undefined;
    const known = remembered(member);
    if (known !== undefined) return known;
    const bytes = await copies.readSmall({ digest, size: maxManifestBytes });
    if (bytes === undefined) return undefined;
    memory.set(digest, bytes);
    return held({ digest, mediaType }, bytes, 'store');
  }

  const filled = (repository: Repository, digest: Digest): Promise<HeldManifest> =>
    asking(keyOf(repository, digest), () => ask(repository, digest));

  async function ask(repository: Repository, digest: Digest): Promise<HeldManifest> {
    // Another question may have brought it while the store was asked.
    const come = peek(repository, digest);
    if (come !== undefined) return come;
    const known = absenceOf(absent, keyOf(repository, digest));
    if (known !== undefined) throw manifestUnknown(digest, known.reason);
    const answer = await upstream.manifest(repository, { digest }, { isUrgent: true });
    if (answer.kind === 'found') return keep(repository, answer);
    const absence = answer.kind === 'absent' ? answer : undefined;
    rememberAbsence(absent, keyOf(repository, digest), absence);
    throw manifestUnknown(digest, absence?.reason, absence?.reply);
  }

  async function keep(repository: Repository, found: FoundManifest, asked?: Tag): Promise<HeldManifest> {
    const { descriptor, bytes } = found;
    const tag = labelOf(repository, descriptor.digest, asked);
    const message = 'the upstream answered a manifest request with an empty body';
    if (bytes === undefined) throw new RegistryError('UPSTREAM_INVALID', message);
    const content = parsed.admit({ descriptor, bytes }, found.manifest);
    const scope = scopeOf(repository);
    const wasHeld =
      content.children.length > 0 && (await membership.find(scope, descriptor.digest)) !== undefined;
    await membership.add(scope, [descriptor, ...recordedIn(content).below], undefined, { isNew: true });
    await membership.correct(scope, descriptor);
    touched(descriptor.digest);
    keepBytes(repository, descriptor, bytes, found.ageMs !== undefined && isStoredOnce);
    const manifest = held(descriptor, bytes, 'fill');
    await labelled.propagate(scope, manifest, { tag, wasHeld });
    return manifest;
  }

  /** What is kept by its digest alone is for all upstreams. */
  function keepBytes(
    repository: Repository,
    descriptor: ManifestDescriptor,
    bytes: Uint8Array,
    isStoredElsewhere: boolean,
  ): void {
    if (isSignedSchema1(descriptor)) {
      signed.set(keyOf(repository, descriptor.digest), held(descriptor, bytes, 'memory'));
    } else {
      memory.set(descriptor.digest, bytes);
      if (!isStoredElsewhere) write(descriptor, bytes);
    }
  }

  function write(descriptor: ManifestDescriptor, bytes: Uint8Array): void {
    const { digest } = descriptor;
    if (writing.has(digest)) return;
    const done = store
      .put(descriptor, bytesOf(bytes))
      .then(() => events.manifestStored?.({ digest }))
      .catch((error: unknown) => events.storeFailed({ operation: 'write', error }))
      .then(() => void writing.delete(digest));
    writing.set(digest, { bytes, done });
  }

  return {
    get,
    known,
    reading: {
      peek,
      stored: find,
      read: async (repository, digest) => (await find(repository, digest)) ?? filled(repository, digest),
      absence: (repository, digest) => absenceOf(absent, keyOf(repository, digest)),
    },
    keep,
    async settled() {
      await Promise.all([...writing.values()].map(({ done }) => done));
    },
  };
}

function held(
  { digest, mediaType }: Omit<ManifestDescriptor, 'size'>,
  bytes: Uint8Array,
  hit: Hit,
): HeldManifest {
  return { descriptor: { digest, mediaType, size: bytes.byteLength }, bytes, hit };
}

/** Whether the type is one of manifests that are kept by their digest. */
function isKeptAs(mediaType: string | undefined): mediaType is string {
  return mediaType !== undefined && isManifestType(mediaType) && !isSignedSchema1({ mediaType });
}

function manifestUnknown(digest: Digest, reason = '', reply?: UpstreamReply): RegistryError {
  const message = `the repository has no such manifest${reason && `: ${reason}`}`;
  return new RegistryError('MANIFEST_UNKNOWN', message, { detail: { digest }, reply });
}
