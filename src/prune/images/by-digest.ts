import { Semaphore } from '../../base/flow/semaphore.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Tag } from '../../oci/reference.ts';
import type { Cancellable } from '../../oci/registry-reader.ts';
import { type Pruning, tagReading } from '../place.ts';
import type { KeepReason, KeptObject } from '../plan.ts';
import type { Removal } from '../run.ts';
import type { DigestDeletion, TagDecision } from '../tag-deletion.ts';
import { classOf } from '../tag-rules.ts';
import { RepositoryReading } from './reading.ts';

interface DigestDeletionOptions extends Pick<Pruning, 'place' | 'needs' | 'atOnce' | 'signal'> {
  /** Deletes a manifest with all its tags. Throws `RegistryError`. */
  readonly deleteManifest: (digest: Digest, options: Cancellable) => Promise<void>;
  /** How long what the tags were seen to name is believed, ms. Default: 30 s. */
  readonly readingMs?: number;
}

type OtherVerdict = (tag: Tag) => Promise<TagDecision>;
type ReasonToKeep = Omit<KeptObject, 'id'>;

const readingMs = 30_000;

/**
 * Deletes tags of a registry that deletes manifests alone. A manifest goes only if a complete
 * listing shows that every tag of it may go, no index lists it, and no image stream names it. The
 * whole repository is read first. Before each deletion, one at a time, its names are listed again;
 * after `readingMs` each tag is asked again. Throws `RegistryError`.
 */
export function digestDeletion(options: DigestDeletionOptions): DigestDeletion {
  const { place, needs, deleteManifest, signal } = options;
  const turns = new Semaphore({ permits: 1 });
  const reading = new RepositoryReading(options);
  let askedAt = Number.NEGATIVE_INFINITY;

  async function read(): Promise<RepositoryReading> {
    const asksAgain = performance.now() - askedAt > (options.readingMs ?? readingMs);
    await reading.read({ asksAgain });
    signal.throwIfAborted();
    if (asksAgain) askedAt = performance.now();
    return reading;
  }

  async function reasonToKeep(
    digest: Digest,
    own: Tag,
    verdict: OtherVerdict,
  ): Promise<ReasonToKeep | undefined> {
    const { tags, manifests, unread } = await read();
    const [unknown] = unread;
    if (unknown !== undefined) return kept('unread', unknown);
    for (const { digest: index, children } of manifests.values())
      if (children.includes(digest)) return kept('in use', `${index} lists ${digest}`);
    const others = [...tags].filter(([tag, named]) => named === digest && tag !== own).map(([tag]) => tag);
    for (const tag of others) {
      const said = await verdict(tag);
      if (said === 'gone' || (!('kept' in said) && said.digest !== digest)) continue;
      if ('kept' in said) return kept('shared', `${tag} names ${digest} too, and stays: ${said.why}`);
    }
    for (const tag of [own, ...others]) {
      const known = classOf(tag);
      if (known.kind !== 'kept' || known.of === undefined) continue;
      const now = await tagReading(place, known.of, signal);
      if (now === digest) return kept('shared', `${known.of} names ${digest} too, and stays`);
      if (typeof now === 'object') return kept('unread', now.unread);
    }
    if (!needs.inSync) return kept('image streams not in sync', `cannot tell whether one names ${digest}`);
    const stream = needs.namedBy(digest);
    if (stream === undefined) return undefined;
    return kept('named by an image stream', `image stream tag ${stream} names ${digest}`);
  }

  const obstacle: DigestDeletion['obstacle'] = async ({ tag, digest, verdict }) => {
    const reason = await reasonToKeep(digest, tag, verdict);
    const why = `the registry deletes no tags, only manifests: ${reason?.why}`;
    return reason && { id: tag, ...reason, why };
  };

  async function removed(going: Parameters<DigestDeletion['remove']>[0]): Promise<Removal> {
    const { tag, digest } = going;
    const now = await tagReading(place, tag, signal);
    if (now === 'gone') return 'gone';
    if (typeof now === 'object') return { id: tag, ...kept('unread', now.unread) };
    if (now !== digest)
      return { id: tag, ...kept('changed meanwhile', `${tag} does not name ${digest} any more`) };
    const staying = await obstacle(going);
    if (staying !== undefined) return staying;
    await deleteManifest(digest, { signal });
    return 'deleted';
  }

  return {
    obstacle: (going) => turns.run(() => obstacle(going)),
    remove: (going) => turns.run(() => removed(going)),
  };
}

function kept(reason: KeepReason, why: string): ReasonToKeep {
  return { kept: reason, why };
}
