import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseTag, type Reference, type Repository, type Tag } from '../../oci/reference.ts';
import { parsePullSpec, referenceOf } from './pull-spec.ts';

/** One image of a registry. */
export interface ImageReference {
  /** The host as users write it. */
  readonly registry: string;
  readonly repository: Repository;
  readonly reference: Reference;
  /** The pull spec as it was written: what records, logs and the API have. */
  readonly text: string;
}

const latest = parseTag('latest');

/**
 * Reads a pull spec; one without tag and digest means `latest`. Throws `NAME_INVALID` for anything
 * but one image of a registry.
 */
export function parseImageReference(text: string): ImageReference {
  const spec = parsePullSpec(text);
  if (spec.medium !== 'registry' || spec.glob !== undefined)
    throw new RegistryError('NAME_INVALID', `${JSON.stringify(text)} is not an image of a registry`);
  const { location: registry, repository } = spec;
  return { registry, repository, reference: referenceOf(spec) ?? { tag: latest }, text };
}

/** Undefined for what `parseImageReference` refuses. */
export function imageReferenceOrNone(text: string): ImageReference | undefined {
  try {
    return parseImageReference(text);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** The image that has the tag. */
export function taggedImage(registry: string, repository: Repository, tag: Tag): ImageReference {
  return { registry, repository, reference: { tag }, text: `${registry}/${repository}:${tag}` };
}

/** What the image is now, whatever its tag means later. */
export function pinned({ registry, repository }: ImageReference, digest: Digest): ImageReference {
  return { registry, repository, reference: { digest }, text: `${registry}/${repository}@${digest}` };
}
