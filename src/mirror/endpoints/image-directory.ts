import type { RegistryReader } from '../../oci/registry-reader.ts';
import { directoryDestination } from './directory-destination.ts';
import type { DirectoryLayout } from './directory-layout.ts';
import { directoryReader } from './directory-reader.ts';
import type { ImageDestination } from './endpoints.ts';
import { taggedReferrers } from './tagged-referrers.ts';

/** A directory of images, to copy from and to. */
export type ImageDirectory = RegistryReader & ImageDestination;

/** Images as files in that layout. Referrers are listed only under a tag, as without that API. */
export function imageDirectory(layout: DirectoryLayout): ImageDirectory {
  const reader = directoryReader(layout);
  return { ...reader, ...directoryDestination(layout), taggedReferrers: taggedReferrers(reader) };
}
