import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Repository, Tag } from '../oci/reference.ts';
import type { Cancellable, RegistryReader } from '../oci/registry-reader.ts';
import type { Deletion, KeptObject, PrunePlan } from './plan.ts';
import type { DigestNeeds, TagReading } from './protection.ts';
import { type PruneOutcome, persistently } from './run.ts';

/** A repository whose tags are deleted. The methods throw `RegistryError`. */
export interface PrunePlace {
  /** `quay.io/openshift/ci` */
  readonly name: string;
  readonly reader: RegistryReader;
  readonly repository: Repository;
  /** Takes a tag away, and nothing else. One that is not there is fine. */
  deleteTag(tag: Tag, options?: Cancellable): Promise<void>;
  /** Sets a tag to a manifest that the repository has. */
  putTag(tag: Tag, digest: Digest, options?: Cancellable): Promise<void>;
}

/** What pruning tells while it goes on. */
export interface PruneEvents {
  /** Names that were looked at. */
  checked(count: number): void;
  planned(plan: PrunePlan): void;
  /** A planned object is about to be deleted. */
  began(deletion: Deletion): void;
  ended(outcome: PruneOutcome): void;
  /** What could not be listed or read, so that all it might have needed stays. */
  unread(what: string, error: unknown): void;
}

/** What every kind of pruning takes. */
export interface Pruning {
  readonly place: PrunePlace;
  readonly needs: DigestNeeds;
  /** Tags of the repository that a hold is on. Throws when that cannot be told. */
  readonly held: () => Promise<readonly string[]>;
  /** Deletes; without it everything is read and planned. */
  readonly confirm: boolean;
  /** Objects at a time. */
  readonly atOnce: number;
  readonly events: PruneEvents;
  /** No page and no object is begun after it. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What the tag names now. Rejects for what is no registry's failure. */
export async function tagReading(
  { reader, repository }: PrunePlace,
  tag: Tag,
  signal: AbortSignal,
): Promise<TagReading> {
  try {
    const ask = () => reader.manifest(repository, { tag }, { method: 'HEAD', signal });
    const answer = await persistently(ask, { signal });
    return answer.kind === 'found' ? answer.descriptor.digest : 'gone';
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RegistryError)) throw error;
    return { unread: `${tag} cannot be read: ${error.message}` };
  }
}

/** The objects of a plan that stay, as outcomes. */
export function keptOutcomes(kept: readonly KeptObject[]): readonly PruneOutcome[] {
  return kept.map((each) => ({ ...each, outcome: 'kept' }));
}
