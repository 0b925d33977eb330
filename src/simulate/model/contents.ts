// Room `simulate/model`: what a simulation is about: contents, settings, time, nodes, counts. In:
// names and amounts. Out: numbers. Imports: base, cache, cache/blobs, cache/eviction,
// cache/records, fleet/members, load, oci.

import { hash } from 'node:crypto';
import { ranked } from '../../fleet/members/ranking.ts';
import { type Digest, isDigest, parseDigest } from '../../oci/digest.ts';

/** Manifests and blobs by number, with what is known of each. */
export class ContentTable {
  readonly #ids = new Map<string, number>();
  readonly #digests: Digest[] = [];
  readonly #sizes: number[] = [];
  readonly #references: (number[] | undefined)[] = [];

  get length(): number {
    return this.#digests.length;
  }

  /** The number of the content of that name, of so many bytes. A name gets a digest. */
  idOf(name: string, bytes: number): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#digests.length;
    this.#ids.set(name, id);
    this.#digests.push(isDigest(name) ? name : parseDigest(`sha256:${hash('sha256', name)}`));
    this.#sizes.push(bytes);
    this.#references.push(undefined);
    return id;
  }

  digest(id: number): Digest {
    const digest = this.#digests[id];
    if (digest === undefined) throw new Error(`there is no content ${id}`);
    return digest;
  }

  /** Bytes. */
  size(id: number): number {
    return this.#sizes[id] ?? 0;
  }

  /** What a manifest refers to; undefined for what is none. */
  references(id: number): readonly number[] | undefined {
    return this.#references[id];
  }

  /** The content is a manifest, and refers to these too. */
  refer(id: number, children: readonly number[]): void {
    const known = this.#references[id];
    if (known === undefined) this.#references[id] = [...children];
    else for (const child of children) if (!known.includes(child)) known.push(child);
  }
}

/** A repository of the upstream, as its members are recorded. */
export interface SimulatedRepository {
  readonly name: string;
  /** Its number among all. */
  readonly index: number;
  /** What was seen in it. */
  readonly members: Set<number>;
}

/** A tag, or a manifest by digest: what the upstream means by it now. */
export interface SimulatedReference {
  readonly repository: SimulatedRepository;
  /** Of a tag. By digest: undefined. */
  readonly tag: string | undefined;
  /** The manifest. Another one once the tag has moved. */
  manifest: number;
  /** Which replica answers for it, once that was asked. */
  owner?: number;
}

/** Who owns what, by the ranking of the fleet. The last answer for each content is kept. */
export class Owners {
  readonly #members: readonly string[];
  readonly #places: ReadonlyMap<string, number>;
  readonly #upstream: string;
  readonly #contents: ContentTable;
  readonly #known = new Map<number, { readonly repository: number; readonly owner: number }>();

  constructor(replicas: number, upstream: string, contents: ContentTable) {
    this.#members = memberNames(replicas);
    this.#places = new Map(this.#members.map((name, index) => [name, index]));
    this.#upstream = upstream;
    this.#contents = contents;
  }

  /** The keys are those of `fleet/by-owner.ts`. */
  ofContent({ name, index }: SimulatedRepository, id: number): number {
    if (this.#members.length === 1) return 0;
    const known = this.#known.get(id);
    if (known?.repository === index) return known.owner;
    const owner = this.#first(`${this.#upstream}/${name}@${this.#contents.digest(id)}`);
    this.#known.set(id, { repository: index, owner });
    return owner;
  }

  ofReference(reference: SimulatedReference): number {
    const { repository, tag, manifest } = reference;
    if (tag === undefined) return this.ofContent(repository, manifest);
    reference.owner ??= this.#first(`${this.#upstream}/${repository.name}:${tag}`);
    return reference.owner;
  }

  #first(key: string): number {
    const [member = ''] = ranked(this.#members, key);
    return this.#places.get(member) ?? 0;
  }
}

/** As the pods of a headless Service are known to each other. */
function memberNames(replicas: number): readonly string[] {
  return Array.from({ length: replicas }, (_, index) => `10.0.${index >> 8}.${(index & 255) + 1}:8402`);
}
