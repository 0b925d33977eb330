import type { ClusterImage } from './image-object.ts';

export interface ImageObjectRules {
  /** Also Images that were not pushed to the integrated registry. */
  readonly all: boolean;
  /** Milliseconds. Undefined: age does not count. */
  readonly keepYoungerThanMs: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An Image object that goes, and what goes with it alone. */
export interface ImageDeletion {
  readonly name: string;
  /** Layers, config and at the end its manifest, that no other Image needs. */
  readonly blobs: readonly string[];
  readonly bytes: number;
}

/**
 * The Images that no stream needs, those with most bytes of their own first. A blob goes with the
 * last one of them that needs it, and never while an Image that stays does. `used`: what streams
 * name. An Image that cannot be read is not among `images`, and then none of their blobs may go:
 * `hasUnread`.
 */
export function imageDeletions(
  images: ReadonlyMap<string, ClusterImage>,
  used: ReadonlySet<string>,
  rules: ImageObjectRules,
  hasUnread: boolean,
): readonly ImageDeletion[] {
  const needed = new Set(used);
  for (const name of needed) for (const child of images.get(name)?.children ?? []) needed.add(child);
  const goes = (image: ClusterImage): boolean =>
    !needed.has(image.name) && (rules.all || image.isManaged) && !isYoung(image, rules);
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
  const left = new Map(staying);
  return going
    .sort((one, other) => ownBytes(other, staying) - ownBytes(one, staying))
    .map((image) => {
      const blobs = digestsOf(image).filter((digest) => {
        const count = (left.get(digest) ?? 0) - 1;
        left.set(digest, count);
        return count === 0 && !hasUnread;
      });
      return { name: image.name, blobs, bytes: ownBytes(image, staying) };
    });
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
