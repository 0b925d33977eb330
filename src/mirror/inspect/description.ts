import type { Fields } from '../../base/text/json.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { Attachment } from './attached.ts';

/** Where images are looked at. */
export interface ImagePlaceRead {
  readonly reader: RegistryReader;
  readonly repository: Repository;
  readonly signal: AbortSignal;
}

/** A manifest, and what it says of itself. */
export interface ImageDescription {
  readonly digest: Digest;
  /** The index through which it was chosen. */
  readonly listDigest?: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly manifestSize: number;
  readonly isIndex: boolean;
  /** Docker schema 1: the digest is that of the payload below its signatures. */
  readonly isSchema1: boolean;
  /** In the order of the image: the base first. */
  readonly layers: readonly DescribedLayer[];
  /** Bytes of all layers; undefined where a size is unknown, and of an index. */
  readonly size?: number;
  /** The image's configuration as its builder wrote it. */
  readonly config?: Fields;
  /** As the configuration has it (RFC 3339). */
  readonly created?: string;
  /** What it is, where it is no image of a container. */
  readonly artifactType?: string;
  /** Of an index; empty for others. */
  readonly platforms: readonly DescribedPlatform[];
  /** What refers to it, or to its list; undefined where that was not asked or cannot be told. */
  readonly attached?: readonly Attachment[];
  readonly gaps: readonly Gap[];
}

export interface DescribedLayer {
  readonly mediaType?: string;
  /** Bytes. */
  readonly size?: number;
  readonly digest: Digest;
  readonly urls?: readonly string[];
}

/** An entry of an index. */
export interface DescribedPlatform {
  readonly digest: Digest;
  /** `os/arch[/variant]` */
  readonly platform: string;
  /** As the index has it. */
  readonly entry: unknown;
}

/** A part that is not shown, and why. */
export interface Gap {
  /** `config`, `referrers`, or a layer's digest. */
  readonly what: string;
  readonly reason: string;
  /** The registry lacks it, or it is damaged; else the registry did not say. */
  readonly isWrong: boolean;
}
