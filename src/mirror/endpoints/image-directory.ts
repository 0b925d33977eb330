import { stat } from 'node:fs/promises';
import type { Reference, Repository } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import { directoryDestination } from './directory-destination.ts';
import type { DirectoryLayout } from './directory-layout.ts';
import { directoryReader } from './directory-reader.ts';
import type { ImageDestination } from './endpoints.ts';
import { taggedReferrers } from './tagged-referrers.ts';
import { disk } from './whole-file.ts';

/** What can be read, and of a directory the files below it. */
export interface HeldPlace extends RegistryReader {
  /**
   * The file that the reference leads to, whatever it holds; undefined when there is none. A
   * damaged file is absent for a reader.
   */
  fileOf?(repository: Repository, reference: Reference): Promise<string | undefined>;
}

/** A directory of images, to copy from and to. */
export type ImageDirectory = HeldPlace & ImageDestination;

/** Images as files in that layout. Referrers are listed only under a tag, as without that API. */
export function imageDirectory(layout: DirectoryLayout): ImageDirectory {
  const reader = directoryReader(layout);
  return {
    ...reader,
    ...directoryDestination(layout),
    taggedReferrers: taggedReferrers(reader),
    async fileOf(repository, reference) {
      const digest = reference.digest ?? (await layout.tagged(repository, reference.tag));
      if (digest === undefined) return undefined;
      for (const path of [layout.manifestPath(repository, digest), layout.blobPath(repository, digest)])
        if ((await disk.ifPresent(stat(path))) !== undefined) return path;
      return undefined;
    },
  };
}
