import { directoryDestination } from './directory-destination.ts';
import type { DirectoryLayout } from './directory-layout.ts';
import { directorySource } from './directory-source.ts';
import type { ImageDestination, ImageSource } from './endpoints.ts';
import { taggedReferrers } from './tagged-referrers.ts';

/** A directory of images, to copy from and to. */
export type ImageDirectory = ImageSource & ImageDestination;

/** Images as files, arranged in that way. What refers to an image is listed under a tag alone, as in a registry without that API. */
export function imageDirectory(layout: DirectoryLayout): ImageDirectory {
  const source = directorySource(layout);
  return {
    ...source,
    ...directoryDestination(layout),
    taggedReferrers: taggedReferrers({ manifest: source.manifest, referrers: async () => undefined }),
  };
}
