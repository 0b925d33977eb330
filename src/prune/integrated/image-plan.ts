import type { KeptObject } from '../plan.ts';
import type { ClusterImage } from './image-object.ts';
import { idOf } from './objects.ts';

export interface ImageObjectRules {
  /** Also Images that were not pushed to the integrated registry. */
  readonly all: boolean;
  /** Milliseconds. Undefined: age does not count. */
  readonly keepYoungerThanMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether an Image exists that cannot be read: it may need any blob. */
  readonly hasUnread: boolean;
  /** Ids of Images and of blobs: only Images among them, or that have one of them. Default: all. */
  readonly only?: ReadonlySet<string> | undefined;
}

/** An Image object that goes, and what goes with it alone. */
export interface ImageDeletion {
  readonly name: string;
  /** Layers, config and at the end its manifest, that no other Image needs, each with its bytes. */
  readonly blobs: ReadonlyMap<string, number>;
}

interface ImagePlan {
  readonly deletions: readonly ImageDeletion[];
  /** Those that are old enough, and needed. */
  readonly kept: readonly KeptObject[];
}

/**
 * The Images that no stream needs, those with most bytes of their own first. A blob goes with the
 * last one of them that needs it, and never while an Image that stays does, be it only because it
 * is not wanted. `used`: what streams and pods name. An Image that cannot be read is not among
 * `images`, and then none of their blobs may go.
 */
export function imagePlan(
  images: ReadonlyMap<string, ClusterImage>,
  used: ReadonlySet<string>,
  rules: ImageObjectRules,
): ImagePlan {
  const needed = new Set(used);
  for (const name of needed) for (const child of images.get(name)?.children ?? []) needed.add(child);
  const may = (image: ClusterImage): boolean =>
    (rules.all || image.isManaged) && !isYoung(image, rules) && isWanted(image, rules);
  const goes = (image: ClusterImage): boolean => !needed.has(image.name) && may(image);
  // What an Image that stays for another reason lists stays too, and what that lists.
  for (let size = -1; size !== needed.size; ) {
    size = needed.size;
    for (const image of images.values())
      if (!goes(image)) for (const child of image.children) needed.add(child);
  }
  const staying = new Map<string, number>();
  const going: ClusterImage[] = [];
  for (const image of images.values()) {
    if (goes(image)) going.push(image);
    for (const digest of digestsOf(image)) staying.set(digest, (staying.get(digest) ?? 0) + 1);
  }
  going.sort((one, other) => ownBytes(other, staying) - ownBytes(one, staying));
  const left = new Map(staying);
  const deletions = going.map((image) => {
    const blobs = digestsOf(image).filter((digest) => {
      const count = (left.get(digest) ?? 0) - 1;
      left.set(digest, count);
      return count === 0 && !rules.hasUnread;
    });
    return { name: image.name, blobs: new Map(blobs.map((digest) => [digest, bytesOf(digest, image)])) };
  });
  const kept = [...images.values()].filter((image) => needed.has(image.name) && may(image));
  return { deletions, kept: kept.map((image) => keptFor(image, used)) };
}

function isWanted(image: ClusterImage, { only }: ImageObjectRules): boolean {
  if (only === undefined || only.has(idOf({ kind: 'image', digest: image.name }))) return true;
  return digestsOf(image).some((digest) => only.has(idOf({ kind: 'blob', digest })));
}

function keptFor({ name }: ClusterImage, used: ReadonlySet<string>): KeptObject {
  const why = used.has(name) ? 'an image stream or a pod names it' : 'an image that stays lists it';
  return { id: idOf({ kind: 'image', digest: name }), kept: 'in use', why };
}

function bytesOf(digest: string, { blobs }: ClusterImage): number {
  return blobs.find((blob) => blob.digest === digest)?.size ?? 0;
}

function isYoung({ createdAt }: ClusterImage, { keepYoungerThanMs, now }: ImageObjectRules): boolean {
  return keepYoungerThanMs !== undefined && now - createdAt < keepYoungerThanMs;
}

/** The manifest is the last one. */
function digestsOf({ name, blobs }: ClusterImage): readonly string[] {
  return [...new Set(blobs.map(({ digest }) => digest))].filter((digest) => digest !== name).concat(name);
}

function ownBytes({ blobs }: ClusterImage, users: ReadonlyMap<string, number>): number {
  return blobs.reduce((sum, { digest, size }) => sum + (users.get(digest) === 1 ? size : 0), 0);
}
