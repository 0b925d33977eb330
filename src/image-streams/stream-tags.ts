import { isObject } from '../base/text/json.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { isTag } from '../oci/reference.ts';
import type { StreamObserver } from './follow.ts';
import type { ImageStreamTag } from './image-stream-tag.ts';

/** A tag of an ImageStream with the image that it stands for now: the newest item of its status. */
export interface StatusTag extends ImageStreamTag {
  readonly digest: Digest;
  /** When it began to stand for that image, milliseconds since the epoch. */
  readonly createdAt: number;
}

/** As much as is read of an ImageStream (`image.openshift.io/v1`). */
export interface ImageStreamObject {
  readonly metadata?: {
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly spec?: { readonly tags?: readonly (SpecTag | null)[] | null };
  readonly status?: { readonly tags?: readonly (TagEvents | null)[] | null };
}

interface SpecTag {
  readonly name?: string;
  readonly from?: { readonly kind?: string; readonly name?: string } | null;
  readonly annotations?: Readonly<Record<string, string>> | null;
}

interface TagEvents {
  readonly tag?: string;
  /** Newest first. */
  readonly items?: readonly (TagEvent | null)[] | null;
}

/** What a tag stood for since `created`, as the API server wrote it down. */
interface TagEvent {
  readonly created?: string;
  /** Empty where nothing was imported. */
  readonly image?: string;
  readonly dockerImageReference?: string;
}

/** The tags of a stream that have an image; one that was never imported has none. */
export function statusTags({ metadata, status }: ImageStreamObject): readonly StatusTag[] {
  const { namespace = '', name = '' } = metadata ?? {};
  return present(status?.tags).flatMap(({ tag, items }) => {
    const { image = '', created = '' } = present(items)[0] ?? {};
    if (!isTag(tag) || !isDigest(image)) return [];
    return [{ namespace, name, tag, digest: image, createdAt: Date.parse(created) || 0 }];
  });
}

/** Who is told of the tags. Called for one tag at a time; must not throw. */
export interface StreamListener {
  /** The tag has this image now; at the beginning, every tag. What is watched happened just now. */
  changed(tag: StatusTag, seen: 'listed' | 'watched'): void;
  /** The tag, or its stream, is no more. */
  removed(tag: ImageStreamTag): void;
}

/** Tells of each tag that changed from one sight of its stream to the next. */
export function tagObserver(listener: StreamListener): StreamObserver {
  const tags = createSeenTags();
  function told({ changed, removed }: StreamChange, seen: 'listed' | 'watched'): number {
    for (const tag of changed) listener.changed(tag, seen);
    for (const tag of removed) listener.removed(tag);
    return changed.length + removed.length;
  }
  return {
    get streams() {
      return tags.streams;
    },
    get tags() {
      return tags.tags;
    },
    saw: (stream, seen) => told(tags.saw(stream), seen),
    lost: (stream) => told(tags.lost(stream), 'watched'),
    look() {
      const lookedAll = tags.look();
      return () => told({ changed: [], removed: lookedAll() }, 'listed');
    },
  };
}

/** What changed from one sight of a stream to the next. */
interface StreamChange {
  readonly changed: readonly StatusTag[];
  readonly removed: readonly ImageStreamTag[];
}

/** Remembers only the image of every tag and whether it is about to be removed: a few megabytes. */
interface SeenTags {
  readonly streams: number;
  readonly tags: number;
  saw(stream: ImageStreamObject): StreamChange;
  lost(stream: ImageStreamObject): StreamChange;
  /** Begins a scan of all streams; its returned function drops what was not seen again. */
  look(): () => readonly ImageStreamTag[];
}

const softDelete = 'release.openshift.io/soft-delete';

interface SeenItem {
  readonly namespace: string;
  readonly name: string;
  readonly marks: ReadonlyMap<string, string>;
  readonly look: number;
}

export function createSeenTags(): SeenTags {
  const streams = new Map<string, SeenItem>();
  let looks = 0;

  function removed({ namespace, name, marks }: SeenItem, but: ReadonlyMap<string, string> = new Map()) {
    return [...marks.keys()]
      .filter((tag) => !but.has(tag))
      .map((tag): ImageStreamTag => ({ namespace, name, tag }));
  }

  return {
    get streams() {
      return streams.size;
    },
    get tags() {
      return [...streams.values()].reduce((sum, { marks }) => sum + marks.size, 0);
    },
    saw(stream) {
      const key = keyOf(stream);
      const before = streams.get(key);
      const tags = statusTags(stream);
      const doomed = softDeleted(stream);
      const marks = new Map(
        tags.map(({ tag, digest }) => [tag, doomed.has(tag) ? `${digest} ${softDelete}` : digest]),
      );
      const { namespace = '', name = '' } = stream.metadata ?? {};
      streams.set(key, { namespace, name, marks, look: looks });
      return {
        changed: tags.filter(({ tag }) => before?.marks.get(tag) !== marks.get(tag)),
        removed: before === undefined ? [] : removed(before, marks),
      };
    },
    lost(stream) {
      const before = streams.get(keyOf(stream));
      streams.delete(keyOf(stream));
      return { changed: [], removed: before === undefined ? [] : removed(before) };
    },
    look() {
      looks += 1;
      return () => {
        const gone = [...streams].filter(([, { look }]) => look < looks);
        for (const [key] of gone) streams.delete(key);
        return gone.flatMap(([, stream]) => removed(stream));
      };
    },
  };
}

/** Tags that the release controller will remove. A last check is worth it before. */
function softDeleted({ spec }: ImageStreamObject): ReadonlySet<string | undefined> {
  const doomed = present(spec?.tags).filter(({ annotations }) => annotations?.[softDelete] !== undefined);
  return new Set(doomed.map(({ name }) => name));
}

/** A list of objects of the API, which may be null and hold nulls; none for anything else. */
export function present<T extends object>(list: readonly (T | null)[] | null | undefined): readonly T[] {
  return Array.isArray(list) ? list.filter((each): each is T => isObject(each)) : [];
}

function keyOf({ metadata }: ImageStreamObject): string {
  return `${metadata?.namespace}/${metadata?.name}`;
}
