import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Reference, Repository, Tag } from '../../oci/reference.ts';
import type { RegistryWriter } from '../../upstream/push/writer.ts';
import type { Cancellable, ManifestAnswer, ManifestOptions, UpstreamBlob } from '../../upstream/upstream.ts';

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

/** Where images are copied from: a registry, our own cache before one, or a directory. Throws `RegistryError` as an Upstream does. */
export interface ImageSource {
  /** The registry's host as users write it; of a directory `file://` and its path. */
  readonly name: string;
  manifest(repository: Repository, reference: Reference, options?: ManifestOptions): Promise<ManifestAnswer>;
  /** From `start` on; undefined when the repository has no such blob. */
  openBlob(
    repository: Repository,
    digest: Digest,
    options?: Cancellable & { readonly start?: number },
  ): Promise<UpstreamBlob | undefined>;
  /**
   * A blob that the source itself lacks, from the `urls` of its descriptor; throws `BLOB_UNKNOWN` where none has it. A source without this
   * method has what it has.
   */
  openByUrls?(
    descriptor: Descriptor,
    options?: Cancellable & { readonly start?: number },
  ): Promise<UpstreamBlob>;
  /** Every tag once, page by page; throws `NAME_UNKNOWN` when there is no such repository. */
  tags(repository: Repository, options?: Cancellable): AsyncIterable<Tag>;
  /** What refers to the manifest; none where the source does not say. */
  referrers(repository: Repository, digest: Digest, options?: Cancellable): Promise<readonly Descriptor[]>;
}

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
