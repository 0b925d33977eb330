import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNotFound } from '../../oci/errors.ts';
import { isManifestType, manifestOrNone, maxManifestBytes } from '../../oci/manifest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { RepositoryIndex } from '../records/repository-index.ts';
import { blobUnknown } from './blob-membership.ts';
import type { PulledBlobs } from './pulled-blobs.ts';
import type { VerifiedStore } from './verified-store.ts';

interface BlobsAloneOptions {
  readonly upstream: { readonly name: string };
  readonly membership: Pick<RepositoryIndex, 'known' | 'find'>;
  readonly copies: Pick<VerifiedStore, 'stat' | 'readSmall'>;
  /** A manifest from any source; throws `MANIFEST_UNKNOWN` if the repository has none. */
  readonly readManifest: (repository: Repository, digest: Digest) => Promise<{ readonly bytes: Uint8Array }>;
}

/**
 * The same blobs, where a digest that is known as a manifest is `BLOB_UNKNOWN`, as it is in most
 * registries. A blob's answer has no media type, and containerd, which asks for a manifest there
 * once its own end-point refuses it, keeps for good what that answer says. A type is only what some
 * manifest claims, and must not hide another's layer, so the bytes decide.
 */
export function blobsAlone(
  blobs: PulledBlobs,
  { upstream, membership, copies, readManifest }: BlobsAloneOptions,
): PulledBlobs {
  async function refuseManifest(repository: Repository, digest: Digest): Promise<void> {
    const member = await membership.find({ upstream: upstream.name, repository }, digest);
    if (!isClaimed(member)) return;
    const isManifest = await hasManifestBytes(repository, digest).catch((error: unknown) => {
      if (isNotFound(error)) return false;
      throw error;
    });
    if (isManifest) throw blobUnknown(digest);
  }

  /** What is stored tells without the upstream. */
  async function hasManifestBytes(repository: Repository, digest: Digest): Promise<boolean> {
    const stored = await copies.stat(digest);
    if (stored !== undefined && stored.size > maxManifestBytes) return false;
    const copy = stored && (await copies.readSmall(stored));
    const bytes = copy ?? (await readManifest(repository, digest)).bytes;
    return manifestOrNone(bytes, undefined) !== undefined;
  }

  /** A layer that was seen before waits for nothing. */
  function isSurelyBlob(repository: Repository, digest: Digest): boolean {
    const member = membership.known({ upstream: upstream.name, repository }, digest);
    return member !== undefined && !isClaimed(member);
  }

  return {
    async stat(repository, digest) {
      if (!isSurelyBlob(repository, digest)) await refuseManifest(repository, digest);
      return blobs.stat(repository, digest);
    },
    async open(repository, digest, asked) {
      if (!isSurelyBlob(repository, digest)) await refuseManifest(repository, digest);
      return blobs.open(repository, digest, asked);
    },
  };
}

function isClaimed(member: Descriptor | undefined): boolean {
  return member?.mediaType !== undefined && isManifestType(member.mediaType);
}
