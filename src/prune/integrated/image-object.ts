import { field, isText, listOf, textOf } from '../../base/text/json.ts';
import { mediaTypes } from '../../oci/manifest.ts';
import type { KeptObject } from '../plan.ts';

/** What is read of an Image object of the cluster. */
export interface ClusterImage {
  /** Its name: the digest of its manifest. */
  readonly name: string;
  readonly createdAt: number;
  readonly isManaged: boolean;
  /** Of the image, bytes. */
  readonly size: number;
  /** Layers and config, each once. */
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  /** Manifests that it lists. */
  readonly children: readonly string[];
  /** Where its registry is. */
  readonly reference: string;
}

const withConfig: ReadonlySet<unknown> = new Set([mediaTypes.dockerManifest, mediaTypes.ociManifest]);

/** Undefined for an object whose content cannot be told: then nothing that it may need is known. */
export function clusterImage(object: unknown): ClusterImage | undefined {
  const metadata = field(object, 'metadata');
  const name = textOf(field(metadata, 'name'));
  const createdAt = Date.parse(textOf(field(metadata, 'creationTimestamp')) ?? '');
  if (name === undefined || Number.isNaN(createdAt)) return undefined;
  const annotations = field(metadata, 'annotations');
  const details = field(object, 'dockerImageMetadata');
  const layers = listOf(field(object, 'dockerImageLayers'));
  const children = listOf(field(object, 'dockerImageManifests')).map((each) => field(each, 'digest'));
  const blobs = new Map<string, number>();
  for (const layer of layers) {
    const digest = field(layer, 'name');
    if (!isText(digest)) return undefined;
    blobs.set(digest, numberIn(field(layer, 'size')));
  }
  const config = textOf(field(details, 'Id'));
  if (withConfig.has(field(object, 'dockerImageManifestMediaType')) && config !== undefined)
    blobs.set(config, blobs.get(config) ?? 0);
  if (!children.every(isText)) return undefined;
  return {
    ...{ name, createdAt, children, size: numberIn(field(details, 'Size')) },
    isManaged: field(annotations, 'openshift.io/image.managed') === 'true',
    blobs: [...blobs].map(([digest, size]) => ({ digest, size })),
    reference: textOf(field(object, 'dockerImageReference')) ?? '',
  };
}

function numberIn(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}

/** Why what may need the Image stays. */
export function unreadImage(digest: string): Omit<KeptObject, 'id'> {
  return { kept: 'unread', why: `Image ${digest} cannot be read, and may need anything` };
}

/** Its own blobs and manifest, and those of what it lists. */
export function partsOf(image: ClusterImage, images: ReadonlyMap<string, ClusterImage>) {
  const whole = [image, ...image.children.flatMap((child) => images.get(child) ?? [])];
  return {
    blobs: new Set(whole.flatMap(({ blobs }) => blobs.map(({ digest }) => digest))),
    manifests: new Set([image.name, ...image.children]),
  };
}
