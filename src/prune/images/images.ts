// Room `prune/images`: deletes the images of a repository that rules let go. In: a repository,
// rules, what is needed. Out: a plan, outcomes. Imports: base, mirror/endpoints, mirror/images,
// oci, prune.

import { type Digest, isDigest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import { keptOutcomes, type Pruning, tagReading } from '../place.ts';
import { type ContentDeletion, inDeletionOrder, type PrunePlan } from '../plan.ts';
import type { PruneRecord } from '../record.ts';
import { type PruneOutcome, type Removal, runDeletions } from '../run.ts';
import { Unfinished } from '../unfinished.ts';
import { type ImageRules, imagesPlan, subjectOf } from './images-plan.ts';
import { RepositoryReading } from './reading.ts';

export interface ImagePruning extends Pruning {
  readonly rules: Omit<ImageRules, 'now'>;
  /** Deletes a manifest with all its tags. Throws `RegistryError`. */
  readonly deleteManifest: (deletion: ContentDeletion, signal: AbortSignal) => Promise<void>;
  /** Only these are deleted. Default: all that the rules let go. */
  readonly only?: ReadonlySet<Digest> | undefined;
  /** Where it is kept what failed, and what no listing finds again. Default: nowhere. */
  readonly record?: PruneRecord;
}

/**
 * Deletes the manifests of a repository that the rules let go, by digest, as every registry with
 * deletes can. All of it is read first. Right before the first deletion it is listed again, and
 * each tag asked again: what was pushed or moved meanwhile counts. A failing deletion is of its
 * manifest alone. What a listing does not find again, as its index or its subject goes first, is in
 * the record until it is gone. Rejects for what is no registry's failure.
 */
export async function pruneImages(options: ImagePruning): Promise<void> {
  const { place, events, confirm, atOnce, signal } = options;
  const reading = new RepositoryReading(options);
  const unfinished = new Unfinished(options);
  const ended = (outcome: PruneOutcome): void => {
    unfinished.ended(outcome);
    events.ended(outcome);
  };
  const plan = await planned(reading, unfinished, options);
  if (plan === undefined) return;
  for (const what of reading.unread) events.unread(what, new RegistryError('UNAVAILABLE', place.name));
  const deletions = inDeletionOrder(plan.deletions);
  events.planned({ ...plan, deletions });
  for (const outcome of keptOutcomes(plan.kept)) ended(outcome);
  if (!confirm) return;
  unfinished.owe(deletions.filter(({ after }) => after.length > 0).map(({ id }) => id));
  await unfinished.saved();
  const remove = async (deletion: ContentDeletion): Promise<Removal> => {
    const change = await changeOf(deletion, reading, options);
    if (change !== undefined) return { id: deletion.id, ...change };
    await options.deleteManifest(deletion, signal);
    return 'deleted';
  };
  await runDeletions(deletions, { remove, atOnce, began: events.began, ended, signal });
  await unfinished.saved();
}

/** Undefined, after telling why, where that cannot be told. */
async function planned(
  reading: RepositoryReading,
  unfinished: Unfinished,
  { place, events, confirm, signal, now, rules, needs, held, only }: ImagePruning,
): Promise<PrunePlan<ContentDeletion> | undefined> {
  try {
    await unfinished.read();
    const left = [...unfinished.objects.keys()].filter(isDigest);
    const read = async (asksAgain: boolean): Promise<PrunePlan<ContentDeletion>> => {
      await reading.read({ asksAgain });
      await reading.readAlso(left);
      await reading.readAlso(subjectsOf(left, reading.tags));
      const question = { facts: reading, rules: { ...rules, now: now() }, needs, held: await held() };
      return imagesPlan({ ...question, only, left });
    };
    let plan = await read(false);
    events.checked(reading.tags.size);
    if (confirm && plan.deletions.length > 0) plan = await read(true);
    if (reading.unread.length === 0)
      for (const digest of left) if (isFoundOrGone(digest, reading)) unfinished.forget(digest);
    return plan;
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof RegistryError)) throw error;
    events.unread(`the images of ${place.name}`, error);
    return undefined;
  }
}

/** Whether a plan needs no record to know of it. */
function isFoundOrGone(digest: Digest, { tags, manifests }: RepositoryReading): boolean {
  if (!manifests.has(digest)) return true;
  for (const [tag, named] of tags) if (named === digest && subjectOf(tag) === undefined) return true;
  return [...manifests.values()].some(({ children }) => children.includes(digest));
}

function subjectsOf(left: readonly Digest[], tags: ReadonlyMap<Tag, Digest>): readonly Digest[] {
  return [...tags].flatMap(([tag, digest]) => (left.includes(digest) ? (subjectOf(tag) ?? []) : []));
}

/** What keeps it by now: a tag that was moved, a hold, a stream that names it. */
async function changeOf(
  { digest }: ContentDeletion,
  reading: RepositoryReading,
  { place, needs, held, signal }: ImagePruning,
) {
  if (!needs.inSync)
    return { kept: 'image streams not in sync', why: `cannot tell whether one names ${digest}` } as const;
  const stream = needs.namedBy(digest);
  if (stream !== undefined)
    return { kept: 'named by an image stream', why: `image stream tag ${stream} names ${digest}` } as const;
  const holds = await held().catch(() => undefined);
  if (holds === undefined) return { kept: 'held', why: 'holds cannot be read' } as const;
  for (const [tag, named] of reading.tags) {
    if (named !== digest) continue;
    if (holds.includes(tag)) return { kept: 'held', why: `a hold is on ${tag}` } as const;
    const now = await tagReading(place, tag, signal);
    if (typeof now === 'object') return { kept: 'unread', why: now.unread } as const;
    if (now !== digest && now !== 'gone')
      return { kept: 'changed meanwhile', why: `${tag} named ${digest}, and names ${now}` } as const;
  }
  return undefined;
}
