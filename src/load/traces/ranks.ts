import type { Descriptor } from '../../oci/content.ts';
import { type Reference, type Repository, referenceText } from '../../oci/reference.ts';
import type { Arrival } from '../work.ts';
import { openTrace, type TraceSummary } from './trace.ts';

/** An image that the target has, in place of what a trace names. */
export interface StandIn {
  readonly repository: Repository;
  readonly reference: Reference;
  /** Config and layers. At least one. */
  readonly blobs: readonly Pick<Descriptor, 'digest' | 'size'>[];
}

/** The repositories of a trace, the most wanted first. */
export interface TraceRanks {
  /** From 0. */
  rankOf(repository: string): number;
  readonly repositories: number;
  /** Of the whole trace, which was read for it. */
  readonly summary: TraceSummary;
}

/** So many repositories are counted. Others have a rank after all of these. */
const mostRepositories = 1_000_000;

/** Reads a whole trace once, and ranks its repositories by their requests. Throws as openTrace. */
export async function ranksOf(...trace: Parameters<typeof openTrace>): Promise<TraceRanks> {
  const { arrivals, summary } = await openTrace(...trace);
  const requests = new Map<string, number>();
  for await (const { work } of arrivals) {
    const repository = work.kind === 'request' ? partsOf(work.path)?.repository : undefined;
    if (repository === undefined) continue;
    const count = requests.get(repository) ?? 0;
    if (count > 0 || requests.size < mostRepositories) requests.set(repository, count + 1);
  }
  const ranked = [...requests].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));
  const ranks = new Map(ranked.map(([repository], rank) => [repository, rank]));
  return {
    rankOf: (repository) => ranks.get(repository) ?? ranks.size + numberOf(repository),
    repositories: ranks.size,
    summary: summary(),
  };
}

/**
 * Lets each request of a trace ask for what the target has. The repository of rank r becomes that
 * of the image r modulo their number. A manifest becomes the image's; a blob becomes the one whose
 * size is nearest to what the log says was sent. Times, nodes and methods stay. Left out:
 * referrers.
 */
export function mappedTo(images: readonly StandIn[], ranks: Pick<TraceRanks, 'rankOf'>) {
  return async function* mapped(arrivals: AsyncIterable<Arrival>): AsyncGenerator<Arrival, void, undefined> {
    for await (const arrival of arrivals) {
      const { work } = arrival;
      const parts = work.kind === 'request' ? partsOf(work.path) : undefined;
      if (work.kind !== 'request' || parts === undefined) {
        yield arrival;
        continue;
      }
      const image = images[ranks.rankOf(parts.repository) % images.length];
      const path = image === undefined ? undefined : pathIn(image, parts, work.bytes);
      if (path !== undefined) yield { ...arrival, work: { ...work, path } };
    }
  };
}

interface PathParts {
  readonly repository: string;
  readonly kind: 'manifests' | 'blobs' | 'tags' | 'referrers';
  readonly name: string;
}

/** The parts of a path of the pull API; undefined for `/v2/`. */
function partsOf(path: string): PathParts | undefined {
  const mark = path.indexOf('?');
  const pieces = (mark < 0 ? path : path.slice(0, mark)).split('/').slice(2);
  const [kind, name] = pieces.slice(-2);
  const repository = pieces.slice(0, -2).join('/');
  if (repository === '' || name === undefined) return undefined;
  if (kind !== 'manifests' && kind !== 'blobs' && kind !== 'tags' && kind !== 'referrers') return undefined;
  return { repository, kind, name };
}

function pathIn(image: StandIn, { kind, name }: PathParts, bytes: number | undefined): string | undefined {
  const { repository, reference, blobs } = image;
  switch (kind) {
    case 'manifests':
      return `/v2/${repository}/manifests/${referenceText(reference)}`;
    case 'blobs': {
      const blob = bytes === undefined ? blobs[numberOf(name) % blobs.length] : nearest(blobs, bytes);
      return blob === undefined ? undefined : `/v2/${repository}/blobs/${blob.digest}`;
    }
    case 'tags':
      return `/v2/${repository}/tags/list`;
    case 'referrers':
      return undefined;
  }
}

/** By the ratio of the sizes. */
function nearest(blobs: StandIn['blobs'], bytes: number): StandIn['blobs'][number] | undefined {
  const distance = (size: number): number => Math.abs(Math.log((size + 1) / (bytes + 1)));
  return blobs.reduce<StandIn['blobs'][number] | undefined>(
    (best, blob) => (best === undefined || distance(blob.size) < distance(best.size) ? blob : best),
    undefined,
  );
}

/** The same for the same name, in every run. */
function numberOf(name: string): number {
  let number = 0;
  for (let at = 0; at < name.length; at += 1) number = (number * 31 + name.charCodeAt(at)) % 1_000_003;
  return number;
}
