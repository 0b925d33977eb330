import type { Digest } from '../../oci/digest.ts';
import type { ContentDeletion } from '../plan.ts';
import type { ListedManifest } from './images-plan.ts';

/**
 * The deletions of these manifests, each with the bytes that only it needs, and after those that
 * list it. `subjects`: what signatures are for, after which they go.
 */
export function manifestDeletions(
  going: ReadonlyMap<Digest, string>,
  manifests: ReadonlyMap<Digest, ListedManifest>,
  subjects: ReadonlyMap<Digest, Digest> = new Map(),
): readonly ContentDeletion[] {
  const users = new Map<Digest, number>();
  for (const { blobs } of manifests.values())
    for (const digest of new Set(blobs.map((blob) => blob.digest)))
      users.set(digest, (users.get(digest) ?? 0) + 1);
  const parents = new Map<Digest, Digest[]>();
  for (const [attached, subject] of subjects)
    if (going.has(attached) && going.has(subject)) parents.set(attached, [subject]);
  for (const digest of going.keys())
    for (const child of manifests.get(digest)?.children ?? [])
      if (child !== digest) parents.set(child, [...(parents.get(child) ?? []), digest]);
  return [...going].map(([digest, reason]) => {
    const { size = 0, blobs = [] } = manifests.get(digest) ?? {};
    const own = new Map(
      blobs.filter((blob) => users.get(blob.digest) === 1).map((blob) => [blob.digest, blob.size]),
    );
    const bytes = [...own.values()].reduce((sum, each) => sum + each, size);
    return { id: digest, digest, reason, bytes, after: parents.get(digest) ?? [] };
  });
}
