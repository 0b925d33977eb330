// Room `prune/images`: deletes the images of a repository that rules let go. In: a repository,
// rules, what is needed. Out: a plan, outcomes. Imports: base, mirror/endpoints, oci, prune.

import { RegistryError } from '../../oci/errors.ts';
import { keptOutcomes, type Pruning, tagReading } from '../place.ts';
import { type Deletion, inDeletionOrder, type PrunePlan } from '../plan.ts';
import { type Removal, runDeletions } from '../run.ts';
import { type ImageRules, imagesPlan } from './images-plan.ts';
import { RepositoryReading } from './reading.ts';

export interface ImagePruning extends Pruning {
  readonly rules: Omit<ImageRules, 'now'>;
  /** Deletes a manifest with all its tags. Throws `RegistryError`. */
  readonly deleteManifest: (deletion: Deletion, signal: AbortSignal) => Promise<void>;
}

/**
 * Deletes the manifests of a repository that the rules let go, by digest, as every registry with
 * deletes can. All of it is read first. Right before the first deletion it is listed again, and
 * each tag asked again: what was pushed or moved meanwhile counts. A failing deletion is of its
 * manifest alone. Rejects for what is no registry's failure.
 */
export async function pruneImages(options: ImagePruning): Promise<void> {
  const { place, events, confirm, atOnce, signal, now, rules, needs, held } = options;
  const reading = new RepositoryReading(options);
  const planned = async (): Promise<PrunePlan> =>
    imagesPlan({ facts: reading, rules: { ...rules, now: now() }, needs, held: await held() });
  let plan: PrunePlan;
  try {
    await reading.read();
    events.checked(reading.tags.size);
    plan = await planned();
    if (confirm && plan.deletions.length > 0) {
      await reading.read({ asksAgain: true });
      plan = await planned();
    }
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof RegistryError)) throw error;
    events.unread(`the images of ${place.name}`, error);
    return;
  }
  for (const what of reading.unread) events.unread(what, new RegistryError('UNAVAILABLE', place.name));
  const deletions = inDeletionOrder(plan.deletions);
  events.planned({ ...plan, deletions });
  for (const outcome of keptOutcomes(plan.kept)) events.ended(outcome);
  if (!confirm) return;
  const remove = async (deletion: Deletion): Promise<Removal> => {
    const change = await changeOf(deletion, reading, options);
    if (change !== undefined) return { id: deletion.id, ...change };
    await options.deleteManifest(deletion, signal);
    return 'deleted';
  };
  await runDeletions(deletions, { remove, atOnce, ended: (outcome) => events.ended(outcome), signal });
}

/** What keeps it by now: a tag that was moved, a hold, a stream that names it. */
async function changeOf(
  { digest }: Deletion,
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
