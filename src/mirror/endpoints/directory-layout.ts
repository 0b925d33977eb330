import { readFile, stat } from 'node:fs/promises';
import { field, jsonOrNone } from '../../base/text/json.ts';
import { algorithmOf, type Digest, digestOf } from '../../oci/digest.ts';
import { isManifestType, type Manifest, maxManifestBytes, parseManifest } from '../../oci/manifest.ts';
import type { Reference, Repository, Tag } from '../../oci/reference.ts';
import { namedBytes } from '../../oci/schema1.ts';
import type { ManifestBytes } from './endpoints.ts';
import { disk } from './whole-file.ts';

/** How a directory arranges what it holds. */
export interface DirectoryLayout {
  /** The directory, as messages call it. */
  readonly name: string;
  blobPath(repository: Repository, digest: Digest): string;
  /** The file with a manifest's bytes. */
  manifestPath(repository: Repository, digest: Digest): string;
  tagged(repository: Repository, tag: Tag): Promise<Digest | undefined>;
  /** Every tag; undefined when there is no such repository. */
  tags(repository: Repository): Promise<readonly Tag[] | undefined>;
  /** Adds a manifest, whose bytes are at `blobPath`, to the repository, under digest and tag. */
  publish(
    repository: Repository,
    manifest: ManifestBytes,
    parsed: Manifest,
    tag: Tag | undefined,
  ): Promise<void>;
}

/** A manifest as a directory holds it. */
export interface LayoutManifest extends ManifestBytes {
  readonly parsed: Manifest;
}

/** Undefined when it is not there, or its file does not hold the manifest that its name says. */
export async function heldManifest(
  layout: DirectoryLayout,
  repository: Repository,
  reference: Reference,
): Promise<LayoutManifest | undefined> {
  const digest = reference.digest ?? (await layout.tagged(repository, reference.tag));
  if (digest === undefined) return undefined;
  const path = layout.manifestPath(repository, digest);
  const found = await disk.ifPresent(stat(path));
  if (found === undefined || found.size > maxManifestBytes) return undefined;
  const bytes = await disk.read(readFile(path));
  const parsed = parsedOrNone(bytes);
  if (parsed === undefined || !isNamed(digest, bytes, parsed)) return undefined;
  return { descriptor: { digest, size: bytes.byteLength, mediaType: parsed.mediaType }, bytes, parsed };
}

/** The references of a manifest. One of an unknown type has none that we could check. */
export function namedParts(bytes: Uint8Array, mediaType: string | undefined): Manifest {
  if (mediaType !== undefined && !isManifestType(mediaType)) return { mediaType, children: [], blobs: [] };
  return parseManifest(bytes, mediaType);
}

/** Its type is the one that it states itself: a file has no other. */
function parsedOrNone(bytes: Uint8Array): Manifest | undefined {
  try {
    const mediaType = field(jsonOrNone(bytes), 'mediaType');
    return namedParts(bytes, typeof mediaType === 'string' ? mediaType : undefined);
  } catch {
    return undefined;
  }
}

function isNamed(digest: Digest, bytes: Uint8Array, { mediaType }: Manifest): boolean {
  return digestOf(namedBytes(bytes, mediaType), algorithmOf(digest)) === digest;
}
