import { readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { bytesOf } from '../../oci/content.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { isTag, type Repository } from '../../oci/reference.ts';
import { type ImageDirectory, imageDirectory } from './image-directory.ts';
import { disk, linkWhole, symlinkWhole, writeWhole } from './whole-file.ts';

/**
 * The images of a directory as `oc image mirror` keeps them, both ways:
 *
 *     v2/<repository>/blobs/<digest>       layers, configs and manifests
 *     v2/<repository>/manifests/<digest>   hard link to the blob; a copy where there are no links
 *     v2/<repository>/manifests/<tag>      symbolic link to <digest>
 *
 * Files are readable by their owner alone, and called `….download` until they are whole.
 */
export function ocDirectory(path: string): ImageDirectory {
  const blobPath = (repository: Repository, digest: Digest) => join(path, 'v2', repository, 'blobs', digest);
  const manifestsPath = (repository: Repository) => join(path, 'v2', repository, 'manifests');
  return imageDirectory({
    name: `file://${path}`,
    blobPath,
    manifestPath: (repository, digest) => join(manifestsPath(repository), digest),
    async tagged(repository, tag) {
      const target = await disk.ifPresent(readlink(join(manifestsPath(repository), tag)));
      const digest = target === undefined ? '' : basename(target);
      return isDigest(digest) ? digest : undefined;
    },
    async tags(repository) {
      const entries = await disk.ifPresent(readdir(manifestsPath(repository), { withFileTypes: true }));
      return entries
        ?.filter((entry) => entry.isSymbolicLink())
        .map((entry) => entry.name)
        .filter(isTag);
    },
    async publish(repository, { descriptor: { digest }, bytes }, _parsed, tag) {
      const file = join(manifestsPath(repository), digest);
      if (!(await linkWhole(file, blobPath(repository, digest)))) await writeWhole(file, bytesOf(bytes));
      if (tag !== undefined) await symlinkWhole(join(manifestsPath(repository), tag), digest);
    },
  });
}
