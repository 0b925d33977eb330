import { type ClusterImage, partsOf } from './image-object.ts';
import type { UseTable } from './use-table.ts';

/** One thing that a tag of a stream stood for. */
export interface HistoryItem {
  readonly created?: string;
  readonly image?: string;
}

interface StreamTagHistory {
  readonly tag: string;
  readonly items: readonly HistoryItem[];
}

/** An image stream as it is pruned. */
export interface PrunedStream {
  readonly namespace: string;
  readonly name: string;
  readonly createdAt: number;
  /** The history of its tags, newest first. */
  readonly tags: readonly StreamTagHistory[];
}

/** What is kept of streams. Without ages and counts, what is not above its limit of size. */
export interface StreamRules {
  /** Milliseconds. Undefined: age does not count. */
  readonly keepYoungerThanMs: number | undefined;
  /** Undefined: `isOverLimit` decides. */
  readonly keepTagRevisions: number | undefined;
  readonly isOverLimit: (namespace: string, size: number) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface StreamQuestion {
  readonly stream: PrunedStream;
  readonly images: ReadonlyMap<string, ClusterImage>;
  /** Names of Image objects that exist and cannot be read. */
  readonly unread: ReadonlySet<string>;
  readonly uses: Pick<UseTable, 'usesTag' | 'usesDigest'>;
  readonly rules: StreamRules;
}

/** What a stream loses; undefined where nothing of it may go. */
export interface StreamPlan {
  /** Of each tag, which of its items stay. */
  readonly stays: readonly (readonly boolean[])[];
  readonly dropped: number;
  /** Blobs and manifests that nothing in the stream needs any more. */
  readonly layerLinks: readonly string[];
  readonly manifestLinks: readonly string[];
}

/**
 * Decides what a stream loses. An image that cannot be read may need anything, so that its stream
 * is left alone.
 */
export function streamPlan(question: StreamQuestion): StreamPlan | undefined {
  const { stream, unread, rules } = question;
  const isYoung = isYounger(stream.createdAt, rules);
  const items = stream.tags.flatMap((tag) => tag.items);
  if (isYoung || items.some(({ image = '' }) => unread.has(image))) return undefined;
  const stays = stream.tags.map(({ tag, items: all }) =>
    all.map((item, revision) => staysInStream({ tag, item, revision }, question)),
  );
  const kept = stream.tags.flatMap((tag, at) => tag.items.filter((_, index) => stays[at]?.[index]));
  const dropped = items.length - kept.length;
  const empty = stream.tags.some((tag) => tag.items.length === 0);
  if (dropped === 0 && !empty) return undefined;
  const [before, after] = [linksOf(items, question), linksOf(kept, question)];
  return {
    ...{ stays, dropped },
    layerLinks: [...before.blobs].filter(
      (digest) => !after.blobs.has(digest) && !after.manifests.has(digest),
    ),
    manifestLinks: [...before.manifests].filter((digest) => !after.manifests.has(digest)),
  };
}

interface AskedItem {
  readonly tag: string;
  readonly item: HistoryItem;
  readonly revision: number;
}

function staysInStream(
  { tag, item, revision }: AskedItem,
  { stream, images, uses, rules }: StreamQuestion,
): boolean {
  const { image: name = '', created = '' } = item;
  if (name === '' || isYounger(Date.parse(created), rules)) return true;
  if (revision === 0 && uses.usesTag(stream, tag)) return true;
  const image = images.get(name);
  if (image === undefined) return false;
  const { keepTagRevisions } = rules;
  const isWithin =
    keepTagRevisions === undefined
      ? !rules.isOverLimit(stream.namespace, image.size)
      : revision < keepTagRevisions;
  return isWithin || uses.usesDigest(stream, name);
}

/** An item without a time may be young. */
function isYounger(createdAt: number, { keepYoungerThanMs, now }: StreamRules): boolean {
  if (keepYoungerThanMs === undefined) return false;
  return Number.isNaN(createdAt) || now - createdAt < keepYoungerThanMs;
}

/** What a repository must have for these items. */
export function linksOf(items: readonly HistoryItem[], { images }: Pick<StreamQuestion, 'images'>) {
  const links = { blobs: new Set<string>(), manifests: new Set<string>() };
  for (const { image: name = '' } of items) {
    if (name === '') continue;
    links.manifests.add(name);
    const image = images.get(name);
    if (image === undefined) continue;
    const { blobs, manifests } = partsOf(image, images);
    for (const digest of blobs) links.blobs.add(digest);
    for (const digest of manifests) links.manifests.add(digest);
  }
  return links;
}
