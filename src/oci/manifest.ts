import {
  type Fields,
  field,
  fieldsOf,
  isObject,
  isText,
  listOf,
  parseJson,
  textOf,
} from '../base/text/json.ts';
import type { Descriptor } from './content.ts';
import { type Digest, isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';

/** Media types of the manifests that Quayside reads; every other type is passed through unread. */
export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerSchema1: 'application/vnd.docker.distribution.manifest.v1+json',
  dockerSchema1Signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
  /** Of image-spec 1.1's release candidates, and its forerunner: still in use. */
  ociArtifact: 'application/vnd.oci.artifact.manifest.v1+json',
  orasArtifact: 'application/vnd.cncf.oras.artifact.manifest.v1+json',
} as const;

type ManifestType = (typeof mediaTypes)[keyof typeof mediaTypes];

/** What a manifest lists: manifests, a config and layers, layers alone, or `blobs`. */
type ManifestKind = 'index' | 'image' | 'schema1' | 'artifact';

const kinds: Readonly<Record<ManifestType, ManifestKind>> = {
  [mediaTypes.ociIndex]: 'index',
  [mediaTypes.dockerList]: 'index',
  [mediaTypes.ociManifest]: 'image',
  [mediaTypes.dockerManifest]: 'image',
  [mediaTypes.dockerSchema1]: 'schema1',
  [mediaTypes.dockerSchema1Signed]: 'schema1',
  [mediaTypes.ociArtifact]: 'artifact',
  [mediaTypes.orasArtifact]: 'artifact',
};

/**
 * The `Accept` value of every manifest request to an upstream. Always the full list: registries
 * convert a manifest to the listed types, and a tag's digest must not depend on the first client.
 */
export const acceptManifests = Object.values(mediaTypes).join(', ');

/** The largest manifest, in bytes: containers/image and containerd read no more. */
export const maxManifestBytes = 4 * 1024 * 1024;

/** What a manifest refers to; the bytes themselves are never rewritten. */
export interface Manifest {
  readonly mediaType: string;
  /** Manifests that an index lists. */
  readonly children: readonly Descriptor[];
  /**
   * Config and layers, or an artifact manifest's `blobs`, that the registry itself must deliver;
   * foreign layers (those with `urls`) are left out.
   */
  readonly blobs: readonly Descriptor[];
  /** Layers with their own `urls` (image-spec, "Descriptor"); absent when there are none. */
  readonly foreign?: readonly Descriptor[];
  /** What this is an attachment of (image-spec, "subject"). */
  readonly subject?: Descriptor;
  /** Its `artifactType`, else its config's media type (distribution-spec, "Listing Referrers"). */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Reads a manifest. `statedType` is the upstream's `Content-Type`, which decides unless it is
 * missing or no manifest type. Throws `UPSTREAM_INVALID` for what is not a manifest, such as a HTML
 * page answered with 200, and for one that also lists what manifests of its type do not list: a
 * registry that checked only what the type has would vouch for the rest unseen (image-spec,
 * "Ambiguous documents").
 */
export function parseManifest(bytes: Uint8Array, statedType: string | undefined): Manifest {
  const body = parseObject(bytes);
  const mediaType = manifestType(body, statedType);
  const listed = listedIn(body, kinds[mediaType]);
  if (kinds[mediaType] === 'schema1') return { mediaType, ...listed };
  const subject = descriptorOf(body['subject']);
  const artifactType = textOf(body['artifactType']) ?? descriptorOf(body['config'])?.mediaType;
  const annotations = annotationsOf(body['annotations']);
  return {
    mediaType,
    ...listed,
    ...(subject === undefined ? {} : { subject }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** Undefined for another document: an index may name any type (image-spec, "Image Index"). */
export function manifestOrNone(bytes: Uint8Array, mediaType: string | undefined): Manifest | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** Each digest once, in the order of the manifest. */
export function digestsIn({ children, blobs }: Pick<Manifest, 'children' | 'blobs'>): ReadonlySet<Digest> {
  const digests = new Set<Digest>();
  for (const { digest } of children) digests.add(digest);
  for (const { digest } of blobs) digests.add(digest);
  return digests;
}

/** True for the media types under which registries serve manifests. */
export function isManifestType(mediaType: string): mediaType is ManifestType {
  return Object.hasOwn(kinds, mediaType);
}

function manifestType(body: Fields, statedType: string | undefined): ManifestType {
  const stated = statedType?.split(';', 1)[0]?.trim().toLowerCase();
  if (stated !== undefined && isManifestType(stated)) return stated;
  const own = textOf(body['mediaType']);
  if (own !== undefined && isManifestType(own)) return own;
  if (Array.isArray(body['manifests'])) return mediaTypes.ociIndex;
  if (Array.isArray(body['layers'])) return mediaTypes.ociManifest;
  if (body['schemaVersion'] === 1)
    return 'signatures' in body ? mediaTypes.dockerSchema1Signed : mediaTypes.dockerSchema1;
  throw notManifest('the upstream answered a manifest request with something that is not a manifest');
}

function parseObject(bytes: Uint8Array): Fields {
  try {
    const value = parseJson(bytes);
    if (isObject(value)) return value;
  } catch (cause) {
    throw notManifest('the upstream answered a manifest request with something that is not JSON', cause);
  }
  throw notManifest('the upstream answered a manifest request with JSON that is not an object');
}

function listedIn(body: Fields, kind: ManifestKind): Pick<Manifest, 'children' | 'blobs' | 'foreign'> {
  const children = childrenOf(body['manifests']);
  const config = descriptorOf(body['config']);
  const layers = descriptorsOf(body['layers']);
  const foreign = foreignLayers(body['layers']);
  const blobs = {
    index: [],
    image: config === undefined ? layers : [config, ...layers],
    schema1: schema1Blobs(body['fsLayers']),
    artifact: descriptorsOf(body['blobs']),
  };
  const counts = {
    index: children.length,
    image: blobs.image.length + foreign.length,
    schema1: blobs.schema1.length,
    artifact: 0,
  };
  if (counts.index + counts.image + counts.schema1 > counts[kind])
    throw notManifest('the upstream answered a manifest with entries that its media type does not allow');
  return { children, blobs: blobs[kind], ...(foreign.length === 0 ? {} : { foreign }) };
}

function schema1Blobs(layers: unknown): Descriptor[] {
  const digests = new Set(listOf(layers).map((layer) => field(layer, 'blobSum')));
  return [...digests].flatMap((digest) => (isDigest(digest) ? [{ digest, size: -1 }] : []));
}

/** Of the platform only what clients say of theirs. */
function childrenOf(value: unknown): Descriptor[] {
  return listOf(value).flatMap((item) => {
    const descriptor = descriptorOf(item);
    if (descriptor === undefined) return [];
    const { os, architecture } = fieldsOf(field(item, 'platform'));
    const isWhole = isText(os) && isText(architecture);
    return [isWhole ? { ...descriptor, platform: `${os}/${architecture}` } : descriptor];
  });
}

function descriptorsOf(value: unknown): Descriptor[] {
  return listOf(value).flatMap((item) => descriptorOf(item) ?? []);
}

function foreignLayers(value: unknown): Descriptor[] {
  return listOf(value)
    .filter(isForeign)
    .flatMap((item) => {
      const descriptor = descriptorOf({ ...item, urls: [] });
      const urls = item.urls.filter((url) => typeof url === 'string');
      return descriptor === undefined ? [] : [{ ...descriptor, urls }];
    });
}

function isForeign(value: unknown): value is { readonly urls: readonly unknown[] } {
  return isObject(value) && Array.isArray(value['urls']) && value['urls'].length > 0;
}

function descriptorOf(value: unknown): Descriptor | undefined {
  if (!isObject(value) || isForeign(value)) return undefined;
  const { digest, size } = value;
  if (!isDigest(digest)) return undefined;
  const mediaType = textOf(value['mediaType']);
  return {
    digest,
    size: typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : -1,
    ...(mediaType === undefined ? {} : { mediaType }),
  };
}

function annotationsOf(value: unknown): Record<string, string> | undefined {
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return Object.fromEntries(entries);
}

function notManifest(message: string, cause?: unknown): RegistryError {
  return new RegistryError('UPSTREAM_INVALID', message, { cause });
}
