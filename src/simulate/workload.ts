import { type ImageModel, modelImage } from '../load/model/images.ts';
import { type ArrivalModel, modelArrivals } from '../load/model/model-arrivals.ts';
import type { Arrivals } from '../load/work.ts';
import { parseReference, parseRepository, parseTag } from '../oci/reference.ts';
import type { ContentTable, SimulatedReference, SimulatedRepository } from './model/contents.ts';

/** An image as nodes pull it: its reference, and the blobs of what that means now. */
export interface SimulatedImage extends SimulatedReference {
  /** Config first. */
  blobs: readonly number[];
}

/** What clients do, at its time. */
export type SimulatedArrival = { readonly atMs: number; readonly node: string } & (
  | { readonly kind: 'pull'; readonly image: SimulatedImage }
  | { readonly kind: 'manifest'; readonly reference: SimulatedReference }
  | { readonly kind: 'blob'; readonly repository: SimulatedRepository; readonly id: number }
  /** The upstream has another image under a tag from now on. */
  | { readonly kind: 'move'; readonly move: () => void }
);

/** The repositories that are named, each once. */
export class Repositories {
  readonly #all = new Map<string, SimulatedRepository>();

  of(name: string): SimulatedRepository {
    const known = this.#all.get(name);
    if (known !== undefined) return known;
    const repository = { name, index: this.#all.size, members: new Set<number>() };
    this.#all.set(name, repository);
    return repository;
  }
}

interface ModelWork {
  readonly images: ImageModel;
  readonly arrivals: ArrivalModel;
  /** All images are tags of one repository. */
  readonly isFlat: boolean;
}

/** Sizes of documents that were pushed by the load kit: so many bytes, and so many a layer. */
const configBytes = { first: 420, each: 260 };
const manifestBytes = { first: 390, each: 230 };

/** The pulls of a model, as `quayside load` makes them. Endless. */
export async function* modelWork(
  { images, arrivals, isFlat }: ModelWork,
  contents: ContentTable,
): AsyncGenerator<SimulatedArrival, void, undefined> {
  const built = new Map<string, VersionedImage>();
  const repositories = new Repositories();
  const named = Array.from({ length: images.count }, (_, index) => ({
    repository: parseRepository(`${images.prefix}/image-${index}`),
    reference: { tag: latest },
  }));
  const imageOf = (name: string): VersionedImage => {
    const known = built.get(name);
    if (known !== undefined) return known;
    const index = Number(name.slice(name.lastIndexOf('-') + 1));
    const repository = repositories.of(isFlat ? images.prefix : name);
    const image = new VersionedImage(modelImage(images, index), {
      ...{ repository, contents },
      tag: isFlat ? `image-${index}` : latest,
    });
    built.set(name, image);
    return image;
  };
  for await (const { atMs, node, work } of modelArrivals(named, arrivals)) {
    if (work.kind === 'pull') yield { atMs, node, kind: 'pull', image: imageOf(work.repository) };
    else if (work.kind === 'move')
      yield { atMs, node, kind: 'move', move: () => imageOf(work.repository).move() };
  }
}

const latest = parseTag('latest');

/** An image of the model. Each version has a layer, a config and a manifest of its own. */
class VersionedImage implements SimulatedImage {
  readonly repository: SimulatedRepository;
  readonly tag: string;
  owner?: number;
  manifest = 0;
  blobs: readonly number[] = [];
  readonly #model: ReturnType<typeof modelImage>;
  readonly #contents: ContentTable;
  #version = -1;

  constructor(
    model: ReturnType<typeof modelImage>,
    parts: {
      readonly repository: SimulatedRepository;
      readonly tag: string;
      readonly contents: ContentTable;
    },
  ) {
    this.#model = model;
    this.repository = parts.repository;
    this.tag = parts.tag;
    this.#contents = parts.contents;
    this.move();
  }

  move(): void {
    this.#version += 1;
    const { seed, layers } = this.#model;
    const version = `${seed} version ${this.#version}`;
    const top = layers.length - 1;
    const layerIds = layers.map(({ seed: layerSeed, bytes }, index) =>
      this.#contents.idOf(
        index === top && this.#version > 0 ? `${version} layer ${index}` : layerSeed,
        bytes,
      ),
    );
    const bytesOf = ({ first, each }: typeof configBytes): number => first + each * layers.length;
    const config = this.#contents.idOf(`${version} config`, bytesOf(configBytes));
    this.blobs = [config, ...layerIds];
    this.manifest = this.#contents.idOf(`${version} manifest`, bytesOf(manifestBytes));
    this.#contents.refer(this.manifest, this.blobs);
  }
}

/** What of a trace cannot be simulated, and why. */
export interface TraceRest {
  /** Lists, referrers, logins, HEAD of blobs: they bring no content. */
  others: number;
  /** Requests that got no content, by what the trace says. */
  unanswered: number;
}

/** Blobs that a client asks for this long after a manifest are of that image, milliseconds. */
const imageMs = 600_000;

/**
 * The requests of a trace. It does not say what a manifest refers to: the blobs that a client asks
 * for after a manifest, in the same repository, are taken for its own.
 */
export async function* traceWork(
  arrivals: Arrivals,
  contents: ContentTable,
  rest: TraceRest,
): AsyncGenerator<SimulatedArrival, void, undefined> {
  const repositories = new Repositories();
  const references = new Map<string, SimulatedReference>();
  const latestOf = new Map<string, { readonly manifest: number; readonly atMs: number }>();
  for await (const { atMs, node, work } of arrivals) {
    const named = work.kind === 'request' ? partsOf(work.path) : undefined;
    if (work.kind !== 'request' || named === undefined) {
      rest.others += 1;
      continue;
    }
    const repository = repositories.of(named.repository);
    const of = `${node} ${named.repository}`;
    if (named.kind === 'blobs') {
      if (work.method === 'HEAD') rest.others += 1;
      else if (work.bytes === undefined) rest.unanswered += 1;
      else {
        const id = contents.idOf(named.name, work.bytes);
        const above = latestOf.get(of);
        if (above !== undefined && atMs - above.atMs < imageMs) contents.refer(above.manifest, [id]);
        yield { atMs, node, kind: 'blob', repository, id };
      }
      continue;
    }
    const key = `${named.repository} ${named.name}`;
    const known = references.get(key);
    if (work.bytes === undefined && (known === undefined || work.method === 'GET')) {
      rest.unanswered += 1;
      continue;
    }
    const reference = known ?? newReference(repository, named.name, contents, work.bytes ?? 0);
    references.set(key, reference);
    // Another size under a tag: it has moved.
    if (
      reference.tag !== undefined &&
      work.bytes !== undefined &&
      work.bytes !== contents.size(reference.manifest)
    )
      reference.manifest = contents.idOf(`${key} ${work.bytes}`, work.bytes);
    contents.refer(reference.manifest, []);
    latestOf.set(of, { manifest: reference.manifest, atMs });
    yield { atMs, node, kind: 'manifest', reference };
  }
}

function newReference(
  repository: SimulatedRepository,
  name: string,
  contents: ContentTable,
  bytes: number,
): SimulatedReference {
  const { tag } = parseReference(name);
  const manifest = contents.idOf(tag === undefined ? name : `${repository.name} ${name} ${bytes}`, bytes);
  return { repository, tag, manifest };
}

interface TracedContent {
  readonly repository: string;
  readonly kind: 'manifests' | 'blobs';
  readonly name: string;
}

/** Of a path of the pull API that brings content. */
function partsOf(path: string): TracedContent | undefined {
  const mark = path.indexOf('?');
  const pieces = (mark < 0 ? path : path.slice(0, mark)).split('/').slice(2);
  const [kind, name] = pieces.slice(-2);
  const repository = pieces.slice(0, -2).join('/');
  if (repository === '' || name === undefined) return undefined;
  return kind === 'manifests' || kind === 'blobs' ? { repository, kind, name } : undefined;
}
