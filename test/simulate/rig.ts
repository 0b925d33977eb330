import type { ContentTable } from '../../src/simulate/model/contents.ts';
import type { SimulatedFleet, SimulatedSite } from '../../src/simulate/model/settings.ts';
import { type Simulated, type SimulatedTime, simulated } from '../../src/simulate/simulate.ts';
import { Repositories, type SimulatedArrival, type SimulatedImage } from '../../src/simulate/workload.ts';

export const MB = 1e6;

/** The defaults of the product, one replica and a directory without end. */
export const fleet: SimulatedFleet = {
  replicas: 1,
  medium: 'filesystem',
  mediumBytes: undefined,
  diskBytes: undefined,
  memory: { maxBytes: 64 * 2 ** 20, maxEntryBytes: 128 * 1024 },
  eviction: { highPercent: 90, lowPercent: 80, graceMs: 1_200_000, everyMs: 300_000 },
  tags: {
    ...{ freshMs: 30_000, refreshBehindMs: 30_000, staleMs: 86_400_000, negativeMs: 5_000 },
    ...{ immutable: [], gone: 'hide' },
  },
  upstream: {
    ...{ name: 'quay.io', maxConcurrent: 64, maxQueued: 1_000, retries: 3 },
    requestsPerSecond: undefined,
  },
};

/** Bytes take no time, and answers of the upstream 100 ms. */
const site: SimulatedSite = {
  upstreamLatencyMs: 100,
  linkBytesPerSecond: Number.POSITIVE_INFINITY,
  streamBytesPerSecond: Number.POSITIVE_INFINITY,
  clientBytesPerSecond: Number.POSITIVE_INFINITY,
  s3BytesPerSecond: Number.POSITIVE_INFINITY,
  upstreamAllows: undefined,
  retryAfterSeconds: 5,
  nodeBytes: Number.POSITIVE_INFINITY,
  nodeLivesMs: Number.POSITIVE_INFINITY,
  perNode: 6,
  seed: 1,
};

export interface ImageShape {
  readonly name: string;
  /** Blobs by name, each with its bytes. Names are shared among images. */
  readonly blobs: Readonly<Record<string, number>>;
  readonly manifestBytes?: number;
}

/** A pull of an image by name, seconds after the start. */
export type Pulled = readonly [atSeconds: number, node: string, image: string];

/** Runs pulls of these images. */
export function pulled(
  images: readonly ImageShape[],
  pulls: readonly Pulled[],
  changes: {
    readonly fleet?: Partial<SimulatedFleet>;
    readonly site?: Partial<SimulatedSite>;
    readonly time?: Partial<SimulatedTime>;
  } = {},
): Promise<Simulated> {
  async function* arrivals(contents: ContentTable): AsyncGenerator<SimulatedArrival> {
    const built = new Map(images.map((shape) => [shape.name, imageOf(shape, contents)]));
    for (const [atSeconds, node, name] of pulls) {
      const image = built.get(name);
      if (image !== undefined) yield { atMs: atSeconds * 1000, node, kind: 'pull', image };
    }
  }
  return simulated(
    arrivals,
    { ...fleet, ...changes.fleet },
    { ...site, ...changes.site },
    {
      durationMs: Number.POSITIVE_INFINITY,
      warmUpMs: 0,
      mostPulls: Number.POSITIVE_INFINITY,
      ...changes.time,
    },
  );
}

const repositories = new Repositories();

function imageOf({ name, blobs, manifestBytes = 1_000 }: ImageShape, contents: ContentTable): SimulatedImage {
  const repository = { ...repositories.of(`team/${name}`), members: new Set<number>() };
  const ids = Object.entries(blobs).map(([blob, bytes]) => contents.idOf(blob, bytes));
  const manifest = contents.idOf(`${name} manifest`, manifestBytes);
  contents.refer(manifest, ids);
  return { repository, tag: 'v1', manifest, blobs: ids };
}
