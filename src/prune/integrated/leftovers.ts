import { isObjectFailure, persistently } from '../run.ts';
import type { IntegratedRun, ObjectDeletion } from './integrated.ts';
import { type IntegratedObject, idOf, isLink, parseObject, type RepositoryLink } from './objects.ts';
import { prunedStream } from './stream-object.ts';
import { linksOf } from './stream-plan.ts';
import { readMissing } from './stream-run.ts';

/**
 * Deletes what an earlier run could not, or did not come to, and no plan finds again: links of what
 * its stream no longer names, and blobs of Images that are gone. Each only if nothing needs it now;
 * while that cannot be told it is left to the next run. Throws what is no failure of an object.
 */
export async function pruneLeftovers(run: IntegratedRun): Promise<void> {
  const { unfinished, registry, only, namespace } = run;
  const left: IntegratedObject[] = [];
  for (const id of [...unfinished.objects.keys(), ...(only ?? [])]) {
    const object = parseObject(id);
    const isFoundAgain = object === undefined || object.kind === 'image' || object.kind === 'imagestream';
    if (isFoundAgain) unfinished.forget(id);
    else if (only === undefined || only.has(id)) left.push(object);
  }
  if (registry === undefined) return;
  for (const [repository, own] of Map.groupBy(left.filter(isLink), (link) => link.repository)) {
    const isWanted = namespace === undefined || repository.startsWith(`${namespace}/`);
    if (isWanted && !run.signal.aborted) await pruneLinks(repository, own, run);
  }
  const blobs = left.flatMap((object) => (object.kind === 'blob' ? object.digest : []));
  if (namespace === undefined && blobs.length > 0) await pruneBlobs(new Set(blobs), run);
}

async function pruneLinks(
  repository: string,
  links: readonly RepositoryLink[],
  run: IntegratedRun,
): Promise<void> {
  const needed = await neededIn(repository, run);
  if (needed !== undefined)
    await deleteUnneeded(
      links.map((link) => ({ object: link, isNeeded: needed.has(link.digest) })),
      run,
    );
}

/** Digests that the stream needs; undefined where that cannot be told. */
async function neededIn(repository: string, run: IntegratedRun): Promise<ReadonlySet<string> | undefined> {
  const { cluster, images, unread, events, signal } = run;
  const [namespace = '', name = ''] = repository.split('/');
  try {
    const object = await persistently(() => cluster.stream(namespace, name, signal), { signal });
    const stream = prunedStream(object);
    if (stream === undefined) return new Set();
    await readMissing(stream, run);
    const items = stream.tags.flatMap((tag) => tag.items).filter(({ image = '' }) => image !== '');
    if (items.some(({ image = '' }) => unread.has(image) || !images.has(image))) return undefined;
    const { blobs, manifests } = linksOf(items, { images });
    return blobs.union(manifests);
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!isObjectFailure(error)) throw error;
    events.unread(`image stream ${repository}`, error);
    return undefined;
  }
}

async function pruneBlobs(digests: ReadonlySet<string>, run: IntegratedRun): Promise<void> {
  const { images, unread } = run;
  if (unread.size > 0) return;
  const needed = new Set<string>();
  for (const { name, blobs } of images.values())
    for (const digest of [name, ...blobs.map((blob) => blob.digest)])
      if (digests.has(digest)) needed.add(digest);
  const objects = [...digests].map((digest) => ({
    object: { kind: 'blob', digest } as const,
    isNeeded: needed.has(digest),
  }));
  await deleteUnneeded(objects, run);
}

interface LeftObject {
  readonly object: IntegratedObject;
  readonly isNeeded: boolean;
}

async function deleteUnneeded(objects: readonly LeftObject[], run: IntegratedRun): Promise<void> {
  const deletions: ObjectDeletion[] = [];
  for (const { object, isNeeded } of objects) {
    const id = idOf(object);
    if (isNeeded) run.unfinished.forget(id);
    else deletions.push({ id, object, reason: 'left by an earlier run', after: [] });
  }
  if (deletions.length === 0) return;
  run.planned(deletions);
  await run.removed(deletions);
}
