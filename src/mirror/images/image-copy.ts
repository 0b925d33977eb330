// Room `mirror/images`: what a copy is about: an image, its graph, platforms, events. In:
// manifests. Out: what to copy and what happened to it. Imports: base, mirror, mirror/references,
// oci; types of mirror/endpoints.

import type { Expression } from '../../base/text/expression.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { type Reference, type Repository, referenceText, type Tag } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { ImageDestination, OpenByUrls } from '../endpoints/endpoints.ts';
import { repositoryText } from '../references/pull-spec.ts';

/** One image to be copied to one place. */
export interface ImageCopy {
  readonly source: RegistryReader;
  readonly from: { readonly repository: Repository; readonly reference: Reference };
  readonly destination: ImageDestination;
  /** Without a tag the image is there by its digest alone. */
  readonly to: { readonly repository: Repository; readonly tag?: Tag };
  /** Of an index, the platforms `os/arch[/variant]` that are wanted. Default: all. */
  readonly filterByOs?: Pick<Expression, 'test'>;
  /**
   * With a filter: keeps the index over fewer manifests than it names, which some registries
   * refuse. Without: a shorter index, under another digest, or the only manifest left. Default
   * true.
   */
  readonly keepManifestList?: boolean;
  /** Layers with their own `urls`: skipped, or copied, from there if the source lacks them. */
  readonly foreignLayers?: 'skip' | 'copy';
  /** Where foreign layers come from that the source lacks. Default: nowhere. */
  readonly openByUrls?: OpenByUrls;
  /** Also what refers to the image and to its parts, and what refers to that. Default false. */
  readonly referrers?: boolean;
  /**
   * Also what cosign keeps under tags for it and its children, if there is any. `if-possible`:
   * without what fails, also where that may pass. Default false.
   */
  readonly attachments?: boolean | 'if-possible';
  /**
   * Whether the tag may be taken from what has it at the destination; a function is asked right
   * before the tag is written. Default true.
   */
  readonly overwrites?: boolean | (() => Promise<boolean>);
  /** Writes everything, whatever the destination says that it has. Default false. */
  readonly force?: boolean;
  /**
   * What a destination's manifest proves. `manifests`: all below it, as in a registry, which
   * accepts no manifest before its blobs. `blobs`: only itself, as in a directory with other
   * writers. Default `manifests`.
   */
  readonly trust?: 'manifests' | 'blobs';
}

/** What was just seen at the ends of an image: it is not asked again. */
export interface Seen {
  readonly source: Descriptor;
  /** What has the destination's tag. Default: the destination is asked. */
  readonly destination?: Descriptor | 'nothing';
}

/** What became of an image: `filtered` when no platform of it was wanted. */
export interface CopiedImage {
  readonly outcome: 'copied' | 'unchanged' | 'filtered';
  /** What the destination has now; of a filtered image, the source's. */
  readonly digest: Digest;
  /** The destination has something else than the source, which was not to be overwritten. */
  readonly isKept?: true;
}

/** The pull spec of the source. */
export function sourceText({ source, from }: ImageCopy): string {
  return `${repositoryText(source.name, from.repository)}${separator(from.reference)}${referenceText(from.reference)}`;
}

/** The pull spec of the destination; only its repository when it has no tag. */
export function destinationText({ destination, to }: ImageCopy): string {
  return `${repositoryText(destination.name, to.repository)}${to.tag === undefined ? '' : `:${to.tag}`}`;
}

/** What shares its fate, and its limits: everything between these two. */
export function routeOf({ source, destination }: ImageCopy): string {
  return `${source.name} ${destination.name}`;
}

function separator(reference: Reference): string {
  return reference.digest === undefined ? ':' : '@';
}
