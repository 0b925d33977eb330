import type { Digest } from '../../oci/digest.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import type { RegistryWriter } from '../../upstream/push/writer.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';

/** The repository whose tag is reverted. */
export interface RevertPlace {
  readonly reader: RegistryReader;
  readonly writer: Pick<RegistryWriter, 'putManifest' | 'deleteTag'>;
  readonly repository: Repository;
}

/** The hold that keeps the mirror's loop from the tag. */
export interface RevertHold {
  /** Where it is kept, for people. */
  readonly name: string;
  /** Throws `RegistryError`. */
  set(signal: AbortSignal): Promise<void>;
  /** Puts back what was there before, unless another hold is there by now. */
  restore(signal: AbortSignal): Promise<void>;
}

/** The manifest; undefined when there is no such tag. Throws `RegistryError`. */
export async function manifestOf(
  { reader, repository }: RevertPlace,
  tag: Tag,
  signal: AbortSignal,
): Promise<ManifestBytes | undefined> {
  const answer = await reader.manifest(repository, { tag }, { signal });
  if (answer.kind !== 'found' || answer.bytes === undefined) return undefined;
  return { descriptor: answer.descriptor, bytes: answer.bytes };
}

/** What the tag names now; undefined when there is no such tag. Throws `RegistryError`. */
export async function digestAt(
  { reader, repository }: RevertPlace,
  tag: Tag,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const answer = await reader.manifest(repository, { tag }, { method: 'HEAD', signal });
  return answer.kind === 'found' ? answer.descriptor.digest : undefined;
}
