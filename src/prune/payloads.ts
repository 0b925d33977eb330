import { concurrently } from '../base/flow/each.ts';
import { allTags } from '../mirror/endpoints/reading.ts';
import { qci, qciProxy } from '../mirror/references/names.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isTag, parseTag, type Tag } from '../oci/reference.ts';
import { keptOutcomes, type Pruning, tagReading } from './place.ts';
import { type ContentDeletion, inDeletionOrder, type KeptObject } from './plan.ts';
import { judged } from './protection.ts';
import { payloadComponents } from './release-image.ts';
import { type Removal, runDeletions } from './run.ts';
import { type TagDecision, TagDeletion } from './tag-deletion.ts';
import { prefixedTags } from './tag-ranges.ts';
import { classOf, componentTag, markerPrefix, payloadPrefix, requestPrefix } from './tag-rules.ts';

/** What became of the release payloads of a repository. */
export interface PayloadEvents {
  /** Every component and the marker are there, or would be set. */
  preserved(version: string): void;
  /** The marker is not set: some of it is missing. It is tried again by the next run. */
  notPreserved(version: string, error: RegistryError): void;
}

export interface PayloadPruning extends Pruning {
  readonly payloads: PayloadEvents;
  /** How tags are deleted. Default: by name. */
  readonly deletion?: TagDeletion;
  /** What is decided about tags that are none of a payload. Default: they stay. */
  readonly otherVerdict?: (tag: Tag) => Promise<TagDecision>;
}

/** The tags of one payload. */
interface PayloadTags {
  readonly version: string;
  payload?: Tag;
  marker?: Tag;
  request?: Tag;
  readonly components: Tag[];
}

const payloadsAtOnce = 4;

/**
 * Release payloads: each component of one without a marker gets a tag, so that Quay keeps it, and
 * the marker once all have theirs. Where the removal of one is requested, its tags are deleted; the
 * request itself by a later run, which finds none of them. Lists that cannot be read whole change
 * nothing. Rejects for what is no registry's failure.
 */
export async function prunePayloads(options: PayloadPruning): Promise<void> {
  const { signal, events, place } = options;
  let found: readonly PayloadTags[];
  try {
    found = grouped(await payloadTags(options));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof RegistryError)) throw error;
    events.unread(`the release payloads of ${place.name}`, error);
    return;
  }
  await removed(found, options);
  const unmarked = found.filter(
    ({ payload, marker, request }) => payload !== undefined && marker === undefined && request === undefined,
  );
  await concurrently(unmarked, payloadsAtOnce, (each) => preserved(each, options));
}

async function payloadTags({ place, signal }: PayloadPruning): Promise<readonly Tag[]> {
  const lists: Tag[] = [];
  for (const prefix of [payloadPrefix, markerPrefix, requestPrefix]) {
    const tags = await prefixedTags(place, prefix, signal);
    if (tags === undefined) return await Array.fromAsync(allTags(place.reader, place.repository, { signal }));
    lists.push(...tags);
  }
  return lists;
}

function grouped(tags: readonly Tag[]): readonly PayloadTags[] {
  const found = new Map<string, PayloadTags>();
  for (const tag of tags) {
    const known = classOf(tag);
    if (!('version' in known)) continue;
    const { version } = known;
    const group = found.get(version) ?? { version, components: [] };
    found.set(version, group);
    if (known.kind === 'component') group.components.push(tag);
    else group[known.kind] = tag;
  }
  return [...found.values()];
}

async function removed(found: readonly PayloadTags[], options: PayloadPruning): Promise<void> {
  const { place, needs, held, events, confirm, atOnce, signal } = options;
  const wanted = found.filter(({ request }) => request !== undefined).flatMap(removals);
  events.checked(found.reduce((sum, each) => sum + tagsOf(each).length, 0));
  if (wanted.length === 0 || signal.aborted) return;
  let holds: readonly string[];
  try {
    holds = await held();
  } catch (error) {
    events.unread('the holds of the store', error);
    return;
  }
  const verdict = async ({ tag, reason }: WantedRemoval) => {
    const heldFor = holds.find((each) => each === tag);
    const now = await tagReading(place, tag, signal);
    return judged({ tag, reason, now, ...(heldFor === undefined ? {} : { heldFor }) }, needs);
  };
  const deletion = options.deletion ?? new TagDeletion({ place, by: 'tag', signal });
  /** Of a tag that would go with its manifest. */
  const otherVerdict = async (digest: Digest, tag: Tag): Promise<TagDecision> => {
    const own = wanted.find((each) => each.tag === tag);
    if (own !== undefined) return verdict(own);
    const group = found.find(({ request }) => request === tag);
    if (group !== undefined && (await isLast(group, digest, options)))
      return verdict({ tag, reason: `nothing else is left of ${group.version}` });
    return options.otherVerdict?.(tag) ?? { id: tag, kept: 'in use', why: 'no rule lets it go' };
  };
  const deletions: ContentDeletion[] = [];
  const kept: KeptObject[] = [];
  await concurrently(wanted, atOnce, async (each) => {
    const said = await verdict(each);
    if (said === 'gone') return;
    const planned =
      confirm || 'kept' in said
        ? said
        : await deletion.planned(said, (other) => otherVerdict(said.digest, other));
    if ('kept' in planned) kept.push(planned);
    else deletions.push(planned);
  });
  const plan = { deletions: inDeletionOrder(deletions), kept };
  events.planned(plan);
  for (const outcome of keptOutcomes(kept)) events.ended(outcome);
  if (!confirm) return;
  const remove = async ({ id, reason, digest }: ContentDeletion): Promise<Removal> => {
    const tag = parseTag(id);
    const said = await verdict({ tag, reason });
    if (said === 'gone' || 'kept' in said) return said;
    if (said.digest !== digest)
      return { id: tag, kept: 'changed meanwhile', why: `it was ${digest}, and is ${said.digest}` };
    return deletion.remove({ tag, digest, verdict: (other) => otherVerdict(digest, other) });
  };
  await runDeletions(plan.deletions, { remove, atOnce, began: events.began, ended: events.ended, signal });
}

interface WantedRemoval {
  readonly tag: Tag;
  readonly reason: string;
}

/** The request goes last, when a whole listing has found nothing else of its payload. */
function removals(group: PayloadTags): readonly WantedRemoval[] {
  const { version, request } = group;
  const own = tagsOf(group).filter((tag) => tag !== request);
  if (own.length > 0) return own.map((tag) => ({ tag, reason: `removal of ${version} is requested` }));
  return request === undefined ? [] : [{ tag: request, reason: `nothing is left of ${version}` }];
}

/** Components come first: a request that names the payload's manifest goes once they are gone. */
function tagsOf({ payload, marker, request, components }: PayloadTags): readonly Tag[] {
  return [...components, marker, payload, request].filter((tag) => tag !== undefined);
}

/** Whether all that is left of a payload, but for its request, names that digest. */
async function isLast(
  group: PayloadTags,
  digest: Digest,
  { place, signal }: PayloadPruning,
): Promise<boolean> {
  for (const tag of tagsOf(group)) {
    if (tag === group.request) continue;
    const now = await tagReading(place, tag, signal);
    if (now !== 'gone' && now !== digest) return false;
  }
  return true;
}

async function preserved({ version, payload }: PayloadTags, options: PayloadPruning): Promise<void> {
  const { place, confirm, payloads, signal } = options;
  if (payload === undefined || signal.aborted) return;
  if (!confirm) return payloads.preserved(version);
  try {
    const now = await tagReading(place, payload, signal);
    if (now === 'gone') return;
    if (typeof now === 'object') throw new RegistryError('UNAVAILABLE', now.unread);
    const components = await payloadComponents(place, { digest: now }, signal);
    const own = components.filter(({ repository }) => isOwn(repository, place.name));
    await concurrently(own, payloadsAtOnce, async ({ name, digest }) => {
      const tag = componentTag(version, name);
      if (!isTag(tag)) throw new RegistryError('TAG_INVALID', `${tag} is no tag`);
      if ((await tagReading(place, tag, signal)) === digest) return;
      await place.putTag(tag, digest, { signal });
      if ((await tagReading(place, tag, signal)) !== digest)
        throw new RegistryError('UNAVAILABLE', `the registry does not show ${tag}`);
    });
    if (own.length === 0) return;
    await place.putTag(parseTag(`${markerPrefix}${version}`), now, { signal });
    payloads.preserved(version);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof RegistryError)) throw error;
    payloads.notPreserved(version, error);
  }
}

/** Components that lie elsewhere are not kept from here. */
function isOwn(repository: string, name: string): boolean {
  return repository === name || (name === qci && repository === qciProxy);
}
