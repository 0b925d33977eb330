import { flatTag } from '../../image-streams/flat-tags.ts';
import type { ImageStreamTag } from '../../image-streams/image-stream-tag.ts';
import type { StreamIndex, StreamPlace } from '../../image-streams/stream-index.ts';
import type { Digest } from '../../oci/digest.ts';
import { isTag, type Tag } from '../../oci/reference.ts';
import { rootLabel, rootOf } from '../../oci/root-label.ts';
import type { Place } from '../access.ts';
import { type RuleBook, rightsKey, rulingKey } from './rules.ts';
import type { Paths, TagPath } from './tag-paths.ts';

/**
 * The paths to a digest: by its tags, then by what image streams say of it. A stream of a trusted
 * namespace is the path itself: the right to it covers the manifest that it names and what the
 * content says is below, unless a rule before that of image streams decides for the flat tag. Every
 * other stream only hints at its flat tag, which is judged like any tag, and must lead to the
 * digest at the upstream.
 */
export function createPaths(rules: RuleBook, place: Place, index: StreamIndex | undefined): Paths {
  const told = index && { rules, place, index };
  return function* paths(tags, digest) {
    for (const tag of tags) {
      const root = rootOf(tag);
      if (root === undefined) yield { ruling: rules.ofTag(place, tag), tag, digest };
      else if (told !== undefined) yield* below(told, root, digest);
    }
    if (told === undefined) return;
    yield* below(told, digest, digest);
    yield* hinted(told, digest);
  };
}

/** What image streams tell of a place. */
interface StreamsTold {
  readonly rules: RuleBook;
  readonly place: Place;
  readonly index: StreamIndex;
}

function* below({ rules, place, index }: StreamsTold, root: Digest, digest: Digest): Generator<TagPath> {
  const tag = rootLabel(root);
  if (tag === undefined) return;
  const seen = new Set<unknown>();
  for (const reference of index.naming(place, root)) {
    if (!index.isTrusted(reference.namespace)) continue;
    const ruling = rules.ofStream(place, reference);
    // A right to yet another digest is one for the tag alone.
    if (ruling === undefined || ruling.kind === 'follow' || seen.has(ruling)) continue;
    seen.add(ruling);
    yield { ruling, tag, digest, root };
  }
}

function* hinted({ rules, place, index }: StreamsTold, digest: Digest): Generator<TagPath> {
  const seen = new Set<string>();
  for (const reference of index.naming(place, digest)) {
    const tag = flatTag(reference);
    if (index.isTrusted(reference.namespace) || seen.has(tag) || !isTag(tag)) continue;
    seen.add(tag);
    const ruling = rules.ofTag(place, tag);
    if (ruling.kind === 'ask') yield { ruling, tag, digest, isHint: true };
  }
}

/** Whether a trusted image stream of one of the clusters names the manifest, now or formerly. */
export function isRootIn(indexes: readonly StreamIndex[], place: StreamPlace, digest: Digest): boolean {
  return indexes.some((index) =>
    index.naming(place, digest).some(({ namespace }) => index.isTrusted(namespace)),
  );
}

/**
 * As `rightsKey`; for the label of a manifest, the rights by the streams that name it. A manifest
 * without a stream has a key of its own while some index may not know all.
 */
export function labelRightsKey(
  books: readonly RuleBook[],
  indexes: readonly StreamIndex[],
  [place, label]: readonly [Place, Tag],
): string {
  const root = rootOf(label);
  if (root === undefined) return rightsKey(books, place, label);
  const streams = new Set(
    indexes.flatMap((index) =>
      index
        .naming(place, root)
        .filter(({ namespace }) => index.isTrusted(namespace))
        .map((reference) => `${index.cluster} ${streamRightsKey(books, place, reference)}`),
    ),
  );
  const isAll = indexes.every(({ untold }) => untold === undefined);
  return streams.size > 0 || isAll ? `below ${[...streams].sort(byText).join(' ')}` : label;
}

function streamRightsKey(books: readonly RuleBook[], place: Place, named: ImageStreamTag): string {
  return books
    .map((book) => book.ofStream(place, named))
    .map((ruling) => (ruling === undefined ? '' : rulingKey(ruling)))
    .join(' ');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}
