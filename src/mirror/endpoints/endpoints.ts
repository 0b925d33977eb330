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

/**
 * Opens a blob that its registry lacks, from the `urls` of its descriptor; throws `BLOB_UNKNOWN`
 * where none has it.
 */
export type OpenByUrls = (descriptor: Descriptor, options?: BlobOptions) => Promise<OpenBlob>;

/**
 * Where images are copied to: a registry that is written to, or a directory that keeps the same promises. What a method resolved to is confirmed: a
 * registry's word was checked, a file is durable. What rejected has left nothing half-done that anybody sees.
 */
export interface ImageDestination extends Omit<RegistryWriter, 'close'> {
  /**
   * What the list under the referrers' fallback tag holds, for whoever pushes a referrer to keep that list up himself; undefined
   * where the destination lists referrers by itself. A destination without this method does, or nobody asks it.
   */
  taggedReferrers?(
    repository: Repository,
    subject: Digest,
    options?: Cancellable,
  ): Promise<readonly unknown[] | undefined>;
}
