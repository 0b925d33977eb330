import type { MaybePromise } from '../../base/flow/maybe-promise.ts';
import { field, jsonOrNone, parseJson, textOf } from '../../base/text/json.ts';
import { collected } from '../../oci/content.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import type { Reference, Repository } from '../../oci/reference.ts';
import type { OpenBlob, RegistryReader } from '../../oci/registry-reader.ts';
import type { ImageReference } from '../references/image-reference.ts';
import { nodeOf } from './graph.ts';
import { chosenPlatforms } from './platforms.ts';

/** The build time, ms since the epoch; undefined if unknown. Rejects only when aborted. */
export type BuiltAt = (image: ImageReference, signal: AbortSignal) => Promise<number | undefined>;

interface BuiltPlace {
  readonly source: RegistryReader;
  readonly repository: Repository;
  readonly signal: AbortSignal;
}

/** A configuration is a page of JSON; what is longer is something else. */
const maxConfigBytes = 4 * 1024 * 1024;
/** An index in an index is the deepest that occurs. */
const deepest = 2;
const amd64 = { filterByOs: /^linux\/amd64$/, keepManifestList: false };

/** Reads `created` in the image's config, of an index for linux/amd64. Three GETs or more. */
export function createBuiltAt(
  sourceOf: (registry: string) => MaybePromise<RegistryReader>,
  failed?: (image: ImageReference, error: unknown) => void,
): BuiltAt {
  return async (image, signal) => {
    const { registry, repository, reference } = image;
    try {
      const place = { source: await sourceOf(registry), repository, signal };
      const config = await configOf(place, reference);
      return config === undefined
        ? undefined
        : await createdAt(await place.source.openBlob(repository, config, { signal }));
    } catch (error) {
      signal.throwIfAborted();
      failed?.(image, error);
      return undefined;
    }
  };
}

async function configOf(place: BuiltPlace, reference: Reference, depth = 0): Promise<Digest | undefined> {
  const { source, repository, signal } = place;
  const answer = await source.manifest(repository, reference, { signal });
  if (answer.kind !== 'found' || answer.bytes === undefined) return undefined;
  const { descriptor, bytes } = answer;
  const chosen = chosenPlatforms(nodeOf({ descriptor, bytes }, 'skip'), amd64);
  if (chosen.kind === 'child') {
    return depth < deepest ? await configOf(place, { digest: chosen.child.digest }, depth + 1) : undefined;
  }
  const config = field(field(parseJson(bytes), 'config'), 'digest');
  return isDigest(config) ? config : undefined;
}

/** The time in a configuration, ms since the epoch; undefined if there is none. Closes the blob. */
export async function createdAt(blob: OpenBlob | undefined): Promise<number | undefined> {
  if (blob === undefined) return undefined;
  try {
    const config = jsonOrNone(await collected(blob.body, maxConfigBytes));
    const at = Date.parse(textOf(field(config, 'created')) ?? '');
    return Number.isNaN(at) ? undefined : at;
  } finally {
    blob.close();
  }
}
