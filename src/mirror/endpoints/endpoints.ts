// Room `mirror/endpoints`: where images are read from and written to. In: registries, our cache,
// directories. Out: readers (RegistryReader) and ImageDestination. Imports: base, oci; types of
// upstream/push.

import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { BlobOptions, Cancellable, OpenBlob } from '../../oci/registry-reader.ts';
import type { RegistryWriter } from '../../upstream/push/writer.ts';

/** A manifest's descriptor, with the bytes it names. */
export interface ManifestBytes {
  readonly descriptor: Descriptor & { readonly mediaType: string };
  readonly bytes: Uint8Array;
}

/** A descriptor as a list of referrers has it (distribution-spec, "Listing Referrers"). */
export interface Referrer extends Descriptor {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Opens a blob from the `urls` of its descriptor; throws `BLOB_UNKNOWN` if none has it. */
export type OpenByUrls = (descriptor: Descriptor, options?: BlobOptions) => Promise<OpenBlob>;

/**
 * The destination of images: a registry, or a directory with the same promises. What a method
 * resolved to is confirmed: a registry's answer was checked, a file is durable. A rejection leaves
 * nothing visible half-done.
 */
export interface ImageDestination extends Omit<RegistryWriter, 'close' | 'deleteManifest' | 'deleteTag'> {
  /**
   * The list under the referrers' fallback tag, for a caller that pushes a referrer and updates the
   * list itself; undefined where the destination lists referrers by itself. So does a destination
   * without this method.
   */
  taggedReferrers?(
    repository: Repository,
    subject: Digest,
    options?: Cancellable,
  ): Promise<readonly unknown[] | undefined>;
}
