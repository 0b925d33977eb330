import type { Descriptor } from '../../oci/content.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import { isAttachmentTag, isReferrersTag } from '../../oci/referrers-tag.ts';
import type { ContentDeletion, KeepReason, KeptObject, PrunePlan } from '../plan.ts';
import type { DigestNeeds } from '../protection.ts';
import { manifestDeletions } from './unique-bytes.ts';

/** A manifest of a repository, where it could be read. */
export interface ListedManifest {
  readonly digest: Digest;
  readonly size: number;
  /** Manifests that it lists. */
  readonly children: readonly Digest[];
  readonly blobs: readonly Descriptor[];
  /** When it was built, ms since the epoch: the latest of an index. Undefined where unknown. */
  readonly builtAt: number | undefined;
}

/** All that is known of a repository. */
export interface RepositoryFacts {
  /** What each tag names. */
  readonly tags: ReadonlyMap<Tag, Digest>;
  readonly manifests: ReadonlyMap<Digest, ListedManifest>;
  /** Why it is not known what else is needed: then nothing is deleted. */
  readonly unread: readonly string[];
}

/** Which tags may go. */
export interface ImageRules {
  /** Whether the rules are about the tag. */
  readonly matches: (tag: Tag) => boolean;
  /** Images built within so many milliseconds stay. */
  readonly keepYoungerThanMs: number;
  /** So many tags, of the images built last, stay. */
  readonly keepRevisions: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface ImagesQuestion {
  readonly facts: RepositoryFacts;
  readonly rules: ImageRules;
  readonly needs: DigestNeeds;
  /** Tags that a hold is on. */
  readonly held: readonly string[];
  /** Only these may go. Default: all. */
  readonly only?: ReadonlySet<Digest> | undefined;
  /** What an earlier run was to delete, and no tag may lead to any more. */
  readonly left?: Iterable<Digest>;
}

/** Reproducible builds have a time of their own choice before this one, ms since the epoch. */
const firstBelieved = Date.UTC(1990, 0);
const dayMs = 86_400_000;

/**
 * Decides about the manifests of a repository. One goes only if every tag of it may go, no manifest
 * that stays lists it, and no image stream may name it. What an index lists goes after the index.
 * Signatures and the like, which have a tag with the digest of what they are for, go after that.
 * What an earlier run left goes if no tag and no manifest leads to it.
 */
export function imagesPlan(question: ImagesQuestion): PrunePlan<ContentDeletion> {
  const verdicts = tagVerdicts(question);
  const tagsOf = Map.groupBy(question.facts.tags.keys(), (tag) => question.facts.tags.get(tag));
  const going = new Map<Digest, string>();
  const kept: KeptObject[] = [];
  for (const [digest, tags] of tagsOf) {
    if (digest === undefined || !isWanted(digest, question)) continue;
    const said = digestVerdict(digest, tags, verdicts, question);
    if (said === undefined) continue;
    if (typeof said === 'string') going.set(digest, said);
    else kept.push({ id: digest, ...said });
  }
  addLeft(going, tagsOf, question);
  addChildren(going, tagsOf, question);
  withoutListed(going, kept, question.facts);
  const subjects = withAttached(going, kept, tagsOf, question);
  return { deletions: manifestDeletions(going, question.facts.manifests, subjects), kept };
}

function isWanted(digest: Digest, { only }: ImagesQuestion): boolean {
  return only === undefined || only.has(digest);
}

/** What lost its tags or what it was attached to, before its own turn came. */
function addLeft(going: Map<Digest, string>, tagsOf: TagsByDigest, question: ImagesQuestion): void {
  const { facts, needs, left = [] } = question;
  if (facts.unread.length > 0) return;
  for (const digest of left) {
    const isAlone = (tagsOf.get(digest) ?? []).every((tag) => {
      const subject = subjectOf(tag);
      return subject !== undefined && !facts.manifests.has(subject);
    });
    const isThere = isAlone && facts.manifests.has(digest) && isWanted(digest, question);
    if (isThere && neededVerdict(digest, needs) === undefined) going.set(digest, 'left by an earlier run');
  }
}

/** What the tag's image is attached to; undefined for a tag that stands for itself. */
export function subjectOf(tag: Tag): Digest | undefined {
  const digest = tag.slice(0, 71).replace('-', ':');
  return isAttached(tag) && isDigest(digest) ? digest : undefined;
}

/** Why a tag may go, or why not; undefined for one that no rule is about. */
type TagVerdict = string | Omit<KeptObject, 'id'> | undefined;

function tagVerdicts({ facts, rules, held }: ImagesQuestion): ReadonlyMap<Tag, TagVerdict> {
  const verdicts = new Map<Tag, TagVerdict>();
  const ages = [...facts.tags]
    .filter(([tag]) => rules.matches(tag) && !isAttached(tag))
    .map(([tag, digest]) => ({ tag, builtAt: facts.manifests.get(digest)?.builtAt ?? 0 }))
    .sort((one, other) => other.builtAt - one.builtAt);
  for (const [index, { tag, builtAt }] of ages.entries()) {
    if (builtAt < firstBelieved)
      verdicts.set(tag, keptFor('age unknown', `it is not known when ${tag} was built`));
    else if (held.includes(tag)) verdicts.set(tag, keptFor('held', `a hold is on ${tag}`));
    else if (index >= rules.keepRevisions && rules.now - builtAt > rules.keepYoungerThanMs)
      verdicts.set(tag, `built ${Math.floor((rules.now - builtAt) / dayMs)} days ago`);
  }
  return verdicts;
}

function digestVerdict(
  digest: Digest,
  tags: readonly Tag[],
  verdicts: ReadonlyMap<Tag, TagVerdict>,
  { facts, needs }: ImagesQuestion,
): TagVerdict {
  const said = tags.map((tag) => verdicts.get(tag));
  const reason = said.find((each) => typeof each === 'string');
  const stays = said.find((each) => typeof each === 'object');
  if (stays !== undefined) return stays;
  if (reason === undefined) return undefined;
  const other = tags.find((tag) => verdicts.get(tag) === undefined);
  if (other !== undefined) return keptFor('shared', `${other} names it too, and stays`);
  const [unread] = facts.unread;
  if (unread !== undefined) return keptFor('unread', unread);
  return neededVerdict(digest, needs) ?? `${reason}: ${tags.join(', ')}`;
}

function neededVerdict(digest: Digest, needs: DigestNeeds): Omit<KeptObject, 'id'> | undefined {
  if (!needs.inSync)
    return keptFor('image streams not in sync', 'cannot tell whether an image stream names it');
  const stream = needs.namedBy(digest);
  return stream === undefined
    ? undefined
    : keptFor('named by an image stream', `image stream tag ${stream} names it`);
}

type TagsByDigest = ReadonlyMap<Digest | undefined, readonly Tag[]>;

/**
 * Adds signatures of what goes, and signatures of those, unless another tag names them; what their
 * lists list goes too. Where that takes something out again, so do its signatures.
 */
function withAttached(
  going: Map<Digest, string>,
  kept: KeptObject[],
  tagsOf: TagsByDigest,
  question: ImagesQuestion,
): ReadonlyMap<Digest, Digest> {
  const { facts, needs } = question;
  const subjects = new Map<Digest, Digest>();
  for (const digest of going.keys()) {
    const prefix = digest.replace(':', '-');
    for (const [tag, attached] of facts.tags) {
      const isItsOwn = isAttached(tag) && (tag === prefix.slice(0, 71) || tag.startsWith(`${prefix}.`));
      const isAlone = tagsOf.get(attached)?.length === 1;
      if (!isItsOwn || !isAlone || going.has(attached) || !isWanted(attached, question)) continue;
      if (neededVerdict(attached, needs) !== undefined) continue;
      going.set(attached, `attached to ${digest}: ${tag}`);
      subjects.set(attached, digest);
    }
  }
  addChildren(going, tagsOf, question);
  for (let size = -1; size !== going.size; ) {
    size = going.size;
    withoutListed(going, kept, facts);
    for (const [attached, subject] of subjects) if (!going.has(subject)) going.delete(attached);
  }
  return subjects;
}

/** What an index that goes lists, and no tag names. */
function addChildren(going: Map<Digest, string>, tagsOf: TagsByDigest, question: ImagesQuestion): void {
  const { facts, needs } = question;
  for (const digest of going.keys())
    for (const child of facts.manifests.get(digest)?.children ?? []) {
      const isThere = !tagsOf.has(child) && facts.manifests.has(child) && isWanted(child, question);
      if (isThere && neededVerdict(child, needs) === undefined)
        going.set(child, going.get(child) ?? `listed by ${digest}`);
    }
}

/** Takes out what a manifest that stays lists, and so on: what that lists stays too. */
function withoutListed(going: Map<Digest, string>, kept: KeptObject[], { manifests }: RepositoryFacts): void {
  const staying = [...manifests.values()].filter(({ digest }) => !going.has(digest));
  for (const { digest, children } of staying)
    for (const child of children) {
      if (!going.delete(child)) continue;
      kept.push({ id: child, kept: 'in use', why: `${digest} lists it, and stays` });
      const manifest = manifests.get(child);
      if (manifest !== undefined) staying.push(manifest);
    }
}

function isAttached(tag: Tag): boolean {
  return isAttachmentTag(tag) || isReferrersTag(tag);
}

function keptFor(kept: KeepReason, why: string): Omit<KeptObject, 'id'> {
  return { kept, why };
}
