import { type Digest, isDigest } from '../oci/digest.ts';
import { isTag } from '../oci/reference.ts';
import type { StreamPlace } from './stream-index.ts';
import { type ImageStreamObject, present } from './stream-tags.ts';

/**
 * The repository of ours that `<registry>/<path>` of a pull spec stands for; undefined for one of
 * another registry, which says nothing about ours.
 */
export type PlaceOf = (registry: string, path: string) => StreamPlace | undefined;

/** One digest that a tag of a stream names, or has named. */
export interface NamedDigest {
  readonly tag: string;
  readonly place: StreamPlace;
  readonly digest: Digest;
  /** When the tag stopped to name it, ms since the epoch; 0 while it does. */
  readonly until: number;
}

/**
 * What the tags of a stream name in repositories of ours.
 *
 * The spec is what the author wrote: of `from`, a pull spec by digest counts (`DockerImage`), also
 * before the import. `ImageStreamImage` and `ImageStreamTag` name another stream; the API server
 * resolves them when they are written, if their author may pull there, and writes the outcome into
 * the status, which is read here. One that it could not resolve names nothing.
 *
 * The status has, newest first, what the tag stood for. An item of a `reference: true` tag repeats
 * the author's pull spec and has no `image`: nothing was imported. An imported one has both, and
 * `image` differs from the pull spec where a child of an index was taken: the tag names both.
 */
export function namedDigests({ spec, status }: ImageStreamObject, placeOf: PlaceOf): readonly NamedDigest[] {
  const found: NamedDigest[] = [];
  for (const { name: tag, from } of present(spec?.tags)) {
    if (!isTag(tag) || from?.kind !== 'DockerImage') continue;
    const named = parseNamedPlace(from.name, placeOf);
    if (named?.digest !== undefined) found.push({ tag, place: named.place, digest: named.digest, until: 0 });
  }
  for (const { tag, items } of present(status?.tags)) {
    if (!isTag(tag)) continue;
    let until = 0;
    for (const { image, dockerImageReference, created = '' } of present(items)) {
      const named = parseNamedPlace(dockerImageReference, placeOf);
      if (named !== undefined)
        for (const digest of new Set([named.digest, image]))
          if (isDigest(digest)) found.push({ tag, place: named.place, digest, until });
      // An item ends when the next newer one begins. One without a time ended before all others.
      until = Date.parse(created) || 1;
    }
  }
  return found;
}

/** What a pull spec says that counts here. */
interface NamedPlace {
  readonly place: StreamPlace;
  /** Absent in a pull spec by tag. */
  readonly digest?: Digest;
}

/** The longest text of a pull spec: registry, repository, tag and digest. */
const longestPullSpec = 1024;

/** `[registry/]path[:tag][@digest]`, in a repository of ours; Docker Hub's without a registry. */
function parseNamedPlace(text: unknown, placeOf: PlaceOf): NamedPlace | undefined {
  if (typeof text !== 'string' || text.length > longestPullSpec) return undefined;
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return undefined;
  const [registry, path] = registryAndPath(at < 0 ? text : text.slice(0, at));
  const colon = path.indexOf(':', path.lastIndexOf('/') + 1);
  const place = placeOf(registry, colon < 0 ? path : path.slice(0, colon));
  return place && { place, ...(digest === undefined ? {} : { digest }) };
}

function registryAndPath(name: string): readonly [registry: string, path: string] {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  if (/[.:]/.test(first) || first === 'localhost') return [first.toLowerCase(), name.slice(slash + 1)];
  return ['docker.io', slash < 0 ? `library/${name}` : name];
}

/** The present is later than every past. */
export function latestFirst(named: readonly NamedDigest[]): readonly NamedDigest[] {
  const rank = (until: number): number => (until === 0 ? Number.POSITIVE_INFINITY : until);
  return named.toSorted((one, other) => rank(other.until) - rank(one.until));
}
