// Room `load/model`: what nodes of a cluster ask for when no trace says it. In: images, a rate, a
// popularity. Out: arrivals without an end. Imports: base, load, oci.

import { inOrder } from '../arrivals.ts';
import type { Arrival, Arrivals } from '../work.ts';
import type { LoadImage } from './images.ts';
import { createRandom, exponentialMs, zipfDraw } from './random.ts';

/** Arrivals of a model. Plain JSON. */
export interface ArrivalModel {
  readonly ratePerSecond: number;
  /** `poisson`: independent of each other; `even`: the same time between any two. */
  readonly spacing: 'poisson' | 'even';
  /** Nodes, each of which is as likely to ask. */
  readonly nodes: number;
  /** How unequal the images are: see zipfDraw. The first image is the most wanted. */
  readonly zipf: number;
  readonly seed: number;
  /** Lazy pulls: so many ranges of each layer, of so many bytes. Default: whole images. */
  readonly ranges?: { readonly count: number; readonly bytes: number };
  /** All nodes ask for one image at the same time, each time after so long, milliseconds. */
  readonly herdEveryMs?: number;
  /** A tag moves to another image, each time after so long, milliseconds. */
  readonly movesEveryMs?: number;
}

/** Who moves tags: one process has all of them, as all arrivals of one node. */
const mover = 'mover of tags';

/** Endless: the load ends it. Of several processes, each computes all and takes its share. */
export function modelArrivals(images: readonly LoadImage[], model: ArrivalModel): Arrivals {
  const { herdEveryMs, movesEveryMs } = model;
  return inOrder([
    pulls(images, model),
    ...(herdEveryMs === undefined ? [] : [herds(images, model, herdEveryMs)]),
    ...(movesEveryMs === undefined ? [] : [moves(images, model, movesEveryMs)]),
  ]);
}

function* pulls(images: readonly LoadImage[], model: ArrivalModel): Generator<Arrival> {
  const { ratePerSecond, spacing, nodes, seed } = model;
  const random = createRandom(seed);
  const drawn = drawOf(images, model, random);
  if (ratePerSecond <= 0) return;
  for (let atMs = 0; ; ) {
    atMs += spacing === 'even' ? 1000 / ratePerSecond : exponentialMs(ratePerSecond, random);
    yield { atMs, node: nodeName(Math.floor(random() * nodes)), work: workOf(drawn(), model, random) };
  }
}

function* herds(images: readonly LoadImage[], model: ArrivalModel, everyMs: number): Generator<Arrival> {
  const random = createRandom(model.seed + 1);
  const drawn = drawOf(images, model, random);
  for (let atMs = everyMs; ; atMs += everyMs) {
    const image = drawn();
    for (let node = 0; node < model.nodes; node += 1)
      yield { atMs, node: nodeName(node), work: workOf(image, model, random) };
  }
}

function* moves(images: readonly LoadImage[], model: ArrivalModel, everyMs: number): Generator<Arrival> {
  const random = createRandom(model.seed + 2);
  const drawn = drawOf(images, model, random);
  for (let atMs = everyMs; ; atMs += everyMs) {
    const { repository, reference } = drawn();
    if (reference.tag !== undefined)
      yield { atMs, node: mover, work: { kind: 'move', repository, tag: reference.tag } };
  }
}

function drawOf(images: readonly LoadImage[], { zipf }: ArrivalModel, random: () => number): () => LoadImage {
  const draw = zipfDraw(images.length, zipf, random);
  return () => {
    const image = images[draw()];
    if (image === undefined) throw new Error('a load needs an image at least');
    return image;
  };
}

function workOf(image: LoadImage, { ranges }: ArrivalModel, random: () => number): Arrival['work'] {
  if (ranges === undefined) return { kind: 'pull', ...image };
  const { count, bytes } = ranges;
  return { kind: 'lazy', ...image, ranges: count, rangeBytes: bytes, seed: Math.floor(random() * 2 ** 31) };
}

function nodeName(index: number): string {
  return `node-${index}`;
}
