import { directoryDestination } from './directory-destination.ts';
import type { DirectoryLayout } from './directory-layout.ts';
import { directorySource } from './directory-source.ts';
import type { ImageDestination, ImageSource } from './ends.ts';

/** A directory of images, to copy from and to. */
export type ImageDirectory = ImageSource & ImageDestination;

/** Images as files, arranged in that way. */
export function imageDirectory(layout: DirectoryLayout): ImageDirectory {
  return { ...directorySource(layout), ...directoryDestination(layout) };
}
