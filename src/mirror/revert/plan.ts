import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { parseTag, type Tag } from '../../oci/reference.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';
import { brokenTag } from '../references/names.ts';
import { digestAt, manifestOf, type RevertPlace } from './place.ts';
import { type KeptVersion, keptVersions } from './versions.ts';

/** A version that could be set, and what it is; without a digest it is gone. */
interface ShownVersion extends KeptVersion {
  readonly digest?: Digest;
}

/** What a revert is about to do. */
export interface RevertPlan {
  readonly tag: Tag;
  readonly current: ManifestBytes;
  /** How many versions there are. */
  readonly count: number;
  /** The newest ones, and the wanted one. */
  readonly shown: readonly (ShownVersion & { readonly number: number })[];
  readonly previous: KeptVersion & { readonly manifest: ManifestBytes };
  /** The tag that is to keep the current image. */
  readonly broken: Tag;
}

interface RevertWish {
  readonly tag: Tag;
  /** 1 is the newest. */
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const mostShown = 3;

/**
 * Reads what a revert needs. Throws `RegistryError`: `MANIFEST_UNKNOWN` where the tag or
 * the version does not exist, others where the registry does not say.
 */
export async function revertPlan(
  place: RevertPlace,
  { tag, version, now }: RevertWish,
  signal: AbortSignal,
): Promise<RevertPlan> {
  const current = await manifestOf(place, tag, signal);
  if (current === undefined) throw unknown(`there is no tag ${tag}`);
  const versions = await keptVersions(place.reader, place.repository, tag, signal);
  const wanted = versions[version - 1];
  if (versions.length === 0) throw unknown(`no previous versions are kept of ${tag}`);
  if (wanted === undefined)
    throw unknown(`there is no version ${version}: ${versions.length} are kept of ${tag}`);
  const manifest = await manifestOf(place, wanted.tag, signal);
  if (manifest === undefined) throw unknown(`${wanted.tag} is listed, and its image does not exist`);
  const numbered = versions.map((each, index) => ({ ...each, number: index + 1 }));
  const shown = numbered.filter(({ number }) => number <= mostShown || number === version);
  return {
    tag,
    current,
    count: versions.length,
    shown: await Promise.all(
      shown.map(async (each) => {
        const digest = await digestAt(place, each.tag, signal);
        return digest === undefined ? each : { ...each, digest };
      }),
    ),
    previous: { ...wanted, manifest },
    broken: parseTag(brokenTag(tag, now)),
  };
}

function unknown(message: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', message);
}
