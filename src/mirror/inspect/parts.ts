import { defined } from '../../base/text/defined.ts';
import {
  type Fields,
  field,
  fieldsOf,
  isObject,
  isText,
  jsonOrNone,
  listOf,
  parseJson,
  textOf,
} from '../../base/text/json.ts';
import { collected, mismatch } from '../../oci/content.ts';
import { type Digest, isDigest, isNamedBy } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { ManifestBytes } from '../endpoints/endpoints.ts';
import type { DescribedLayer, Gap, ImageDescription, ImagePlaceRead } from './description.ts';
import { gapOf } from './gaps.ts';

type Parts = Pick<ImageDescription, 'layers' | 'size' | 'config' | 'created' | 'artifactType' | 'gaps'>;

/** A configuration is a page of JSON; what is longer is something else. */
const maxConfigBytes = 4 * 1024 * 1024;
const configTypes: ReadonlySet<unknown> = new Set([
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.oci.image.config.v1+json',
]);
const legacyLayer = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

/** Layers and configuration of a manifest. Of an artifact no configuration is read. */
export async function imageParts({ bytes }: ManifestBytes, place: ImagePlaceRead): Promise<Parts> {
  const body = fieldsOf(parseJson(bytes));
  const layers = listOf(body['layers'] ?? body['blobs']).flatMap(layerOf);
  const { digest, mediaType } = fieldsOf(body['config']);
  const isImage = configTypes.has(mediaType) && isDigest(digest);
  const read = isImage ? await configAt(digest, place) : { gaps: [] };
  const artifactType = textOf(body['artifactType']) ?? (isImage ? undefined : textOf(mediaType));
  return { layers, ...totalSize(layers), ...read, ...defined({ artifactType }) };
}

/** Those of a manifest of Docker schema 1, which states no sizes: they are asked for. */
export async function legacyParts({ bytes }: ManifestBytes, place: ImagePlaceRead): Promise<Parts> {
  const body = fieldsOf(parseJson(bytes));
  const digests = listOf(body['fsLayers'])
    .map((layer) => field(layer, 'blobSum'))
    .filter(isDigest);
  const sizes = new Map(
    await Promise.all(
      [...new Set(digests)].map(async (digest) => [digest, await sizeAt(digest, place)] as const),
    ),
  );
  const layers = digests.toReversed().map((digest): DescribedLayer => {
    const size = sizes.get(digest);
    return { mediaType: legacyLayer, digest, ...(typeof size === 'number' ? { size } : {}) };
  });
  const gaps = [...sizes.values()].filter((size) => typeof size !== 'number');
  const newest = textOf(field(field(body['history'], 0), 'v1Compatibility'));
  const config = newest === undefined ? undefined : jsonOrNone(newest);
  return { layers, ...totalSize(layers), ...(isObject(config) ? configured(config) : {}), gaps };
}

async function configAt(
  digest: Digest,
  place: ImagePlaceRead,
): Promise<Partial<Parts> & Pick<Parts, 'gaps'>> {
  try {
    const config = parseJson(await blobAt(digest, place));
    if (isObject(config)) return { ...configured(config), gaps: [] };
  } catch (error) {
    place.signal.throwIfAborted();
    if (!(error instanceof SyntaxError)) return { gaps: [gapOf('config', error)] };
  }
  return { gaps: [{ what: 'config', reason: `blob ${digest} is not a JSON object`, isWrong: true }] };
}

async function blobAt(digest: Digest, { reader, repository, signal }: ImagePlaceRead): Promise<Uint8Array> {
  const blob = await reader.openBlob(repository, digest, { signal });
  if (blob === undefined) throw unknownBlob(digest);
  try {
    const bytes = await collected(blob.body, maxConfigBytes);
    if (!isNamedBy(digest, bytes)) throw mismatch({ digest, size: blob.size ?? -1 }, bytes.byteLength);
    return bytes;
  } finally {
    blob.close();
  }
}

async function sizeAt(digest: Digest, { reader, repository, signal }: ImagePlaceRead): Promise<number | Gap> {
  try {
    const found = await reader.statBlob(repository, digest, { signal });
    return found?.size ?? gapOf(digest, unknownBlob(digest));
  } catch (error) {
    signal.throwIfAborted();
    return gapOf(digest, error);
  }
}

function unknownBlob(digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `unknown blob: the registry does not have ${digest}`);
}

function configured(config: Fields): Pick<Parts, 'config' | 'created'> {
  return { config, ...defined({ created: textOf(config['created']) }) };
}

function layerOf(value: unknown): readonly DescribedLayer[] {
  const { digest, size, mediaType, urls } = fieldsOf(value);
  if (!isDigest(digest)) return [];
  const own = listOf(urls).filter(isText);
  return [
    {
      ...defined({ mediaType: textOf(mediaType) }),
      ...(typeof size === 'number' ? { size } : {}),
      digest,
      ...(own.length === 0 ? {} : { urls: own }),
    },
  ];
}

function totalSize(layers: readonly DescribedLayer[]): Pick<Parts, 'size'> {
  const sizes = layers.map(({ size }) => size);
  if (sizes.includes(undefined)) return {};
  return { size: sizes.reduce<number>((sum, size = 0) => sum + size, 0) };
}
