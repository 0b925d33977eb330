import { concurrently } from '../../base/flow/each.ts';
import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { ageMs } from '../../base/time/wait.ts';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Manifest } from '../../oci/manifest.ts';
import type { Tag } from '../../oci/reference.ts';
import { isReferrersTag, referrersTag } from '../../oci/referrers-tag.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import { mostRecorded, type ParsedManifests, type ReadManifest, recordedIn } from './parsed.ts';
import type { RepositoryIndex } from './repository-index.ts';
import type { TagPointers } from './tag-pointers.ts';

interface Cause {
  /** The tag that it was asked for by. */
  readonly tag?: Tag | undefined;
  /** The repository had it before, so that what is below it may be stored. */
  readonly wasHeld: boolean;
}

/** Keeps the tags that reference content on its records: the right to a tag covers its content. */
interface TagPropagation {
  /** True if the tags were propagated to the children recently. Memory only, no I/O. */
  isPropagated(tags: readonly Tag[], tag?: Tag): boolean;
  /**
   * Makes sure of it, before the manifest is answered. Of the manifests below it those get their
   * labels that are at hand, the others when they are fetched. In force when it resolves.
   */
  propagate(scope: RepositoryScope, manifest: ReadManifest, cause: Cause): Promise<void>;
}

interface TagPropagationOptions {
  readonly membership: RepositoryIndex;
  readonly tags: Pick<TagPointers, 'find'>;
  readonly parsed: Pick<ParsedManifests, 'orNone'>;
  /** The manifest, if it is in memory. */
  readonly remembered: (scope: RepositoryScope, digest: Digest) => ReadManifest | undefined;
  /** The manifest, if it is in memory or stored. */
  readonly stored: (scope: RepositoryScope, digest: Digest) => Promise<ReadManifest | undefined>;
  readonly now: () => number;
}

/** Records are visited again this often, ms: rules, eviction or other tags may have changed. */
const spreadEveryMs = 600_000;

const readAtOnce = 8;

/** An index of indexes has three levels; deeper content gets its labels when it is fetched. */
const deepest = 4;

/** Upper bound on manifests visited per request. */
const mostMet = 1_000;

interface Step {
  readonly tag: Tag | undefined;
  /** The tag never led to this, which was held before: what is stored below is looked at, too. */
  readonly isNew: boolean;
  readonly depth: number;
  readonly run: PropagationRun;
}

/** One answer's propagation: visits each manifest once, up to a bound. */
interface PropagationRun {
  readonly met: Set<Digest>;
  /** How many descriptors may still get records. */
  left: number;
}

/** Labels over the membership of one upstream. */
export function createTagPropagation(options: TagPropagationOptions): TagPropagation {
  const { membership, tags, parsed, remembered, stored, now } = options;
  const spreading = createSingleFlight<void>();
  /** When the tags of a record were last spread, by the tag that was asked for; '' without one. */
  const spreadAt = new WeakMap<readonly Tag[], Map<string, number>>();

  function isSpread(reaching: readonly Tag[], tag?: Tag): boolean {
    const at = spreadAt.get(reaching)?.get(tag ?? '');
    return at !== undefined && ageMs(at, now()) < spreadEveryMs;
  }

  function note(reaching: readonly Tag[], tag: Tag | undefined): void {
    const times = spreadAt.get(reaching) ?? new Map<string, number>();
    spreadAt.set(reaching, times.set('', now()).set(tag ?? '', now()));
  }

  async function spreadFrom(scope: RepositoryScope, manifest: ReadManifest, step: Step): Promise<void> {
    const { descriptor } = manifest;
    const before = membership.known(scope, descriptor.digest)?.tags ?? [];
    const content = parsed.orNone(manifest);
    if (content === undefined || (isSpread(before, step.tag) && !step.isNew)) return;
    const own = [...(before.length > 0 ? [] : unrecorded(scope, descriptor.digest)), ...ownTags(content)];
    for (const tag of step.tag === undefined ? own : [...own, step.tag])
      await membership.add(scope, [descriptor], tag);
    const reaching = membership.known(scope, descriptor.digest)?.tags ?? [];
    const passedOn = await inherited(scope, reaching, own);
    const { below, isPartial } = recordedIn(content, step.run.left);
    step.run.left -= below.length;
    const tagsAbove = step.tag === undefined ? passedOn : [...passedOn, step.tag];
    if (isPartial && tagsAbove.length > 0)
      membership.addPartial(scope, { ...content, digest: descriptor.digest }, tagsAbove);
    await membership.inherit(scope, below, passedOn);
    if (step.tag !== undefined) await membership.add(scope, below, step.tag);
    await spreadBelow(scope, content.children, step);
    note(reaching, step.tag);
  }

  /** Of what is below a manifest that lists more than has records. */
  function unrecorded(scope: RepositoryScope, digest: Digest): readonly Tag[] {
    return membership.partialTags(scope, digest).filter((tag) => !isReferrersTag(tag));
  }

  async function spreadBelow(
    scope: RepositoryScope,
    children: readonly Descriptor[],
    step: Step,
  ): Promise<void> {
    if (step.depth >= deepest) return;
    const { met } = step.run;
    await concurrently(children.slice(0, mostMet), readAtOnce, async ({ digest }) => {
      if (met.has(digest) || met.size >= mostMet) return;
      met.add(digest);
      const manifest = remembered(scope, digest) ?? (step.isNew ? await stored(scope, digest) : undefined);
      if (manifest !== undefined) await spreadFrom(scope, manifest, { ...step, depth: step.depth + 1 });
    });
  }

  /** A generated referrers tag references those that name its subject, and their content. */
  async function inherited(
    scope: RepositoryScope,
    reaching: readonly Tag[],
    own: readonly Tag[],
  ): Promise<readonly Tag[]> {
    const checked = await Promise.all(
      reaching.map(async (tag) => {
        const isPassedOn =
          !isReferrersTag(tag) || own.includes(tag) || (await tags.find(scope, tag)) !== undefined;
        return isPassedOn ? [tag] : [];
      }),
    );
    return checked.flat();
  }

  return {
    isPropagated: isSpread,
    async propagate(scope, manifest, { tag, wasHeld }) {
      const { digest } = manifest.descriptor;
      const before = membership.known(scope, digest)?.tags ?? [];
      if (isSpread(before, tag)) return;
      const isNew = tag !== undefined && wasHeld && !before.includes(tag);
      const key = `${scope.upstream}/${scope.repository}:${tag ?? ''}@${digest}`;
      const run = { met: new Set<Digest>(), left: mostRecorded };
      await spreading(key, () => spreadFrom(scope, manifest, { tag, isNew, depth: 0, run }));
    },
  };
}

/** What a manifest refers to says so in its own bytes; no list of referrers has to. */
function ownTags({ subject }: Manifest): readonly Tag[] {
  return subject === undefined ? [] : [referrersTag(subject.digest)];
}
