import { isKeptOf } from '../mirror/references/names.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Tag } from '../oci/reference.ts';
import { type PrunePlace, type Pruning, tagReading } from './place.ts';
import type { ContentDeletion, KeptObject } from './plan.ts';
import { judged, type TagReading } from './protection.ts';
import type { Removal } from './run.ts';
import { classOf, isExpired } from './tag-rules.ts';

/** What is decided about a tag; `gone` where there is none. */
export type TagDecision = ContentDeletion | KeptObject | 'gone';

/** A tag that would go with its manifest. `verdict` says of the manifest's other tags what is. */
interface TagWithManifest {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly verdict: (other: Tag) => Promise<TagDecision>;
}

/** Deletes manifests in place of their tags. Throws `RegistryError`. */
export interface DigestDeletion {
  /** Why the manifest must stay; undefined where it may go. */
  obstacle(going: TagWithManifest): Promise<KeptObject | undefined>;
  /** Deletes the manifest, unless something of it must stay. */
  remove(going: TagWithManifest): Promise<Removal>;
}

/** `tag`: by its name; `digest`: with its manifest; `auto`: by name where that is possible. */
export type DeleteBy = 'auto' | 'tag' | 'digest';

interface TagDeletionOptions {
  readonly place: Pick<PrunePlace, 'deleteTag'>;
  /** Default `auto`. */
  readonly by?: DeleteBy;
  /** For a registry that deletes no tags. Default: each tag fails there. */
  readonly byDigest?: DigestDeletion;
  readonly signal: AbortSignal;
}

/** How the tags of one registry are deleted: whether it deletes tags is known only by trying. */
export class TagDeletion {
  readonly #options: TagDeletionOptions;
  #by: DeleteBy;

  constructor(options: TagDeletionOptions) {
    this.#options = options;
    this.#by = options.by ?? 'auto';
  }

  /** `auto` before the first try. */
  get by(): DeleteBy {
    return this.#by;
  }

  /** For a plan: the same deletion, or why it could not be made. */
  async planned(
    deletion: ContentDeletion,
    verdict: TagWithManifest['verdict'],
  ): Promise<ContentDeletion | KeptObject> {
    const { byDigest } = this.#options;
    if (this.#by !== 'digest' || byDigest === undefined) return deletion;
    const going = { tag: deletion.id as Tag, digest: deletion.digest, verdict };
    try {
      return (await byDigest.obstacle(going)) ?? deletion;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      return { id: deletion.id, kept: 'unread', why: error.message };
    }
  }

  /** Deletes the tag, which was just read. Throws `RegistryError`. */
  async remove(going: TagWithManifest): Promise<Removal> {
    const { place, byDigest, signal } = this.#options;
    if (this.#by === 'digest' && byDigest !== undefined) return byDigest.remove(going);
    try {
      await place.deleteTag(going.tag, { signal });
      if (this.#by === 'auto') this.#by = 'tag';
      return 'deleted';
    } catch (error) {
      const isUnsupported = error instanceof RegistryError && error.code === 'UNSUPPORTED';
      if (!isUnsupported || this.#by === 'tag' || byDigest === undefined) throw error;
      this.#by = 'digest';
      return byDigest.remove(going);
    }
  }
}

/** What decides about tags that keep something. */
export interface TagLookOptions extends Pick<Pruning, 'place' | 'needs' | 'signal' | 'now'> {
  /** Tags that keep something are deleted after so many whole days; -1: all. */
  readonly ttlDays: number;
  /** Only these, in place of a listing. Default: all. */
  readonly only?: readonly Tag[];
  /** How. Default: by name. */
  readonly deletion?: TagDeletion;
}

/** Reads tags, with what decides about them. */
export class TagLook {
  readonly #options: TagLookOptions;
  readonly #held: () => Promise<readonly string[] | undefined>;
  readonly #deletion: TagDeletion;

  /** `held` resolves to undefined where holds cannot be told. */
  constructor(options: TagLookOptions, held: () => Promise<readonly string[] | undefined>) {
    this.#options = options;
    this.#held = held;
    this.#deletion = options.deletion ?? new TagDeletion({ ...options, by: 'tag' });
  }

  async verdict(tag: Tag): Promise<TagDecision> {
    const { place, needs, signal, now } = this.#options;
    const known = classOf(tag);
    if (known.kind !== 'kept' || !isOld(tag, this.#options))
      return { id: tag, kept: 'in use', why: 'the rules do not let it go' };
    const held = await this.#held();
    if (held === undefined) return { id: tag, kept: 'held', why: 'holds cannot be read' };
    const heldFor = held.find((each) => isKeptOf(tag, each));
    const reading = await tagReading(place, tag, signal);
    const days = Math.floor((now() - known.at) / 86_400_000);
    return judged(
      {
        tag,
        reason: `${days} days old`,
        now: reading,
        ...(heldFor === undefined ? {} : { heldFor }),
        ...(known.of !== undefined && isNeeded(reading, needs)
          ? { float: { tag: known.of, now: await tagReading(place, known.of, signal) } }
          : {}),
      },
      needs,
    );
  }

  /** Reads the tag anew: it may have become another image, or needed, since it was planned. */
  async remove(deletion: ContentDeletion): Promise<Removal> {
    const tag = deletion.id as Tag;
    const verdict = await this.verdict(tag);
    if (verdict === 'gone' || 'kept' in verdict) return verdict;
    if (verdict.digest !== deletion.digest)
      return {
        id: tag,
        kept: 'changed meanwhile',
        why: `it was ${deletion.digest}, and is ${verdict.digest}`,
      };
    const { digest } = verdict;
    return this.#deletion.remove({ tag, digest, verdict: (other) => this.#plannedVerdict(other) });
  }

  /** For a plan: the deletion, or why the registry could not make it. */
  planned(deletion: ContentDeletion): Promise<ContentDeletion | KeptObject> {
    return this.#deletion.planned(deletion, (other) => this.#plannedVerdict(other));
  }

  /** As `verdict`, for a tag that another one's deletion would take too. */
  async #plannedVerdict(tag: Tag): Promise<TagDecision> {
    const { only } = this.#options;
    if (only === undefined || only.includes(tag)) return this.verdict(tag);
    return { id: tag, kept: 'in use', why: 'it is not among the names given' };
  }
}

/** Whether the rules let the tag go, by its name. */
export function isOld(tag: Tag, { now, ttlDays }: Pick<TagLookOptions, 'now' | 'ttlDays'>): boolean {
  const known = classOf(tag);
  return known.kind === 'kept' && isExpired(known.at, now(), ttlDays);
}

/** Whether it matters that another tag names the digest too. */
function isNeeded(reading: TagReading, needs: TagLookOptions['needs']): boolean {
  if (reading === 'gone' || typeof reading === 'object') return false;
  return !needs.inSync || needs.namedBy(reading) !== undefined;
}
