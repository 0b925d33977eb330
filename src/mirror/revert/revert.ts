// Room `mirror/revert`: sets a tag back to what it named before. In: a repository and its kept
// tags. Out: the tag reverted, or everything as it was. Imports: base, mirror/endpoints,
// mirror/inspect, mirror/references, oci; types of upstream/push.

import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Tag } from '../../oci/reference.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';
import { whyUnread } from '../inspect/gaps.ts';
import { digestAt, type RevertHold, type RevertPlace } from './place.ts';
import type { RevertPlan } from './plan.ts';
import { type Undo, undone } from './undo.ts';

/** What became of a revert. */
export type Reverted =
  /** The tag is set; a warning is of the last step, which may have taken the tag away. */
  | { readonly outcome: 'done'; readonly warning?: string; readonly isLost?: true }
  /** All is as before, but for what is `left`. */
  | { readonly outcome: 'undone'; readonly why: string; readonly left: readonly string[] };

interface RevertRun {
  readonly place: RevertPlace;
  /** Default: no hold. */
  readonly hold?: RevertHold | undefined;
  /** Called when a step is done. */
  readonly done: (what: string) => void;
  /** Ends the steps before the next one; what was done is undone. */
  readonly signal: AbortSignal;
}

/**
 * How long each step may take, milliseconds. A signal cuts none off: a write that arrives late
 * would come after its undoing.
 */
const stepMs = 120_000;

/**
 * Holds the tag, keeps its image, sets the previous one, and deletes the tag of that one. Each tag
 * is read again right before it is written or deleted: a promotion may come between. A failure, or
 * the signal, undoes what was begun, as its answer may only be lost. Never rejects.
 */
export async function revert(plan: RevertPlan, run: RevertRun): Promise<Reverted> {
  const steps: Undo[] = [];
  try {
    for (const step of [setHold, keep, setBack]) {
      await step(plan, run, steps, AbortSignal.timeout(stepMs));
      run.signal.throwIfAborted();
    }
  } catch (error) {
    const why = run.signal.aborted ? 'stopped' : whyOf(error);
    return { outcome: 'undone', why, left: await undone(steps, leftText) };
  }
  return { outcome: 'done', ...(await deleteKept(plan, run, AbortSignal.timeout(stepMs))) };
}

type RevertStep = (plan: RevertPlan, run: RevertRun, steps: Undo[], signal: AbortSignal) => Promise<void>;

const setHold: RevertStep = async (_plan, { hold, done }, steps, signal) => {
  if (hold === undefined) return;
  steps.push({ left: `the hold at ${hold.name}`, run: (own) => hold.restore(own) });
  await hold.set(signal);
  done(`held by ${hold.name}`);
};

const keep: RevertStep = async ({ tag, broken, current }, { place, done }, steps, signal) => {
  const { digest } = current.descriptor;
  steps.push({ left: `the tag ${broken}`, run: (own) => deleteBeside(place, broken, [tag, current], own) });
  await put(place, broken, current, signal);
  done(`${broken} keeps ${digest}`);
};

const setBack: RevertStep = async ({ tag, current, previous }, { place, done }, steps, signal) => {
  const [was, is] = [current.descriptor.digest, previous.manifest.descriptor.digest];
  const there = await digestAt(place, tag, signal);
  if (there !== was) throw changed(tag, was, there);
  steps.push({
    left: `the tag ${tag}, which was ${was}`,
    async run(own) {
      if ((await digestAt(place, tag, own)) === is) await put(place, tag, current, own);
    },
  });
  await put(place, tag, previous.manifest, signal);
  done(`${tag} is ${is}`);
};

/** A leftover tag is no reason to take a good revert back. */
async function deleteKept(
  { tag, previous }: RevertPlan,
  { place, done }: RevertRun,
  signal: AbortSignal,
): Promise<{ readonly warning?: string; readonly isLost?: true }> {
  try {
    await deleteBeside(place, previous.tag, [tag, previous.manifest], signal);
    done(`${previous.tag} is deleted`);
    return {};
  } catch (error) {
    if (error instanceof TagLost) return { warning: error.message, isLost: true };
    const what = `${tag} is reverted, but ${previous.tag}, which names the same image, is not deleted`;
    const next = 'It does no harm: delete it by hand, or leave it to "quayside prune tags"';
    return { warning: `${what}: ${whyOf(error)}. ${next}` };
  }
}

/**
 * Deletes a tag of the manifest that another tag names, too. Not where it names something else by
 * now: it is another's then. Some registries delete a manifest with all its tags when they are told
 * to delete one: then the other tag is set once more.
 */
async function deleteBeside(
  place: RevertPlace,
  doomed: Tag,
  [tag, manifest]: readonly [Tag, ManifestBytes],
  signal: AbortSignal,
): Promise<void> {
  const { digest } = manifest.descriptor;
  if ((await digestAt(place, doomed, signal)) !== digest) return;
  const isNamed = (await digestAt(place, tag, signal)) === digest;
  await place.writer.deleteTag(place.repository, doomed, { signal });
  if (!isNamed || (await digestAt(place, tag, signal)) !== undefined) return;
  await put(place, tag, manifest, signal).catch((cause: unknown) => {
    const what = `the registry deleted ${tag} together with ${doomed}, and does not take it back`;
    throw new TagLost(`${what}: ${whyOf(cause)}; set ${tag} to ${digest} by hand`, { cause });
  });
}

/** A registry deleted more than it was told to. */
class TagLost extends Error {
  override readonly name = 'TagLost';
}

function put(
  { writer, repository }: RevertPlace,
  tag: Tag,
  manifest: ManifestBytes,
  signal: AbortSignal,
): Promise<void> {
  return writer.putManifest(repository, { tag }, manifest, { signal });
}

function changed(tag: Tag, was: Digest, there: Digest | undefined): RegistryError {
  const now = there ?? 'gone';
  return new RegistryError('MANIFEST_INVALID', `${tag} changed meanwhile from ${was}: it is ${now}`);
}

function leftText(left: string, error: unknown): string {
  return `${left}: ${whyOf(error)}`;
}

/** Whatever the failure is, the steps are undone first. */
function whyOf(error: unknown): string {
  return error instanceof RegistryError ? whyUnread(error) : String(error);
}
