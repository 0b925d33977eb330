import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isManifestType } from '../oci/manifest.ts';
import { manifestOrNone } from './manifest-or-none.ts';

/** What one manifest lists. True for ever, as the manifest is. */
interface Node {
  readonly lists: ReadonlySet<Digest>;
  /** Those of them that may be manifests. */
  readonly children: readonly Digest[];
}

/** One question on its way through manifests that were not in memory. */
interface Search {
  readonly loaded: Map<Digest, Node>;
  readonly failures: unknown[];
}

/** A manifest as it was read. */
type ReadManifest = { readonly descriptor: Descriptor; readonly bytes: Uint8Array };

/** Reads a manifest, from wherever it can be had; throws `MANIFEST_UNKNOWN` for one that is nowhere. */
export type ReadsManifest = (digest: Digest) => Promise<ReadManifest>;

/** What hangs below manifests: children, theirs, configs and layers; not what a manifest is attached to. */
export interface Graphs {
  /** Whether the root is the digest or reaches it, as far as that is in memory; undefined when more would have to be read. */
  known(root: Digest, digest: Digest): boolean | undefined;
  /** Whether it does. Throws `UNAVAILABLE` when what is missing cannot be read, or is too much. */
  holds(root: Digest, digest: Digest, read: ReadsManifest): Promise<boolean>;
}

export interface GraphsOptions {
  /** Digests kept in memory, in all manifests together, about 0.15 KB each. Default 200,000. */
  readonly maxDigests?: number;
  /** Manifests read for one question. Default 1,000. */
  readonly mostRead?: number;
}

const readAtOnce = 8;

/** Nothing is in memory yet. */
export function graphs({ maxDigests = 200_000, mostRead = 1_000 }: GraphsOptions = {}): Graphs {
  const nodes = new LRUCache<Digest, Node>({
    maxSize: maxDigests,
    sizeCalculation: ({ lists }) => lists.size + 1,
  });
  const inMemory = (digest: Digest): Node | undefined => nodes.get(digest);

  async function load(digest: Digest, read: ReadsManifest): Promise<Node> {
    try {
      const node = nodeOf(await read(digest));
      nodes.set(digest, node);
      return node;
    } catch (error) {
      if (error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN') return leaf;
      throw error;
    }
  }

  /** What cannot be read now is passed over, for this search alone: the digest may be found without it. */
  async function loadInto({ loaded, failures }: Search, digest: Digest, read: ReadsManifest): Promise<void> {
    try {
      loaded.set(digest, await load(digest, read));
    } catch (error) {
      failures.push(error);
      loaded.set(digest, leaf);
    }
  }

  return {
    known(root, digest) {
      const walked = walk(root, digest, inMemory);
      return walked === true ? true : walked.length === 0 ? false : undefined;
    },
    async holds(root, digest, read) {
      const search: Search = { loaded: new Map(), failures: [] };
      const nodeAt = (each: Digest): Node | undefined => search.loaded.get(each) ?? inMemory(each);
      for (let missing = walk(root, digest, nodeAt); ; missing = walk(root, digest, nodeAt)) {
        if (missing === true) return true;
        if (missing.length === 0) break;
        if (search.loaded.size >= mostRead)
          throw cannotTell(new Error('too many manifests for one question'));
        await Promise.all(missing.slice(0, readAtOnce).map((each) => loadInto(search, each, read)));
      }
      if (search.failures.length > 0) throw cannotTell(search.failures[0]);
      return false;
    },
  };
}

/** What is no manifest, or is nowhere. */
const leaf: Node = { lists: new Set(), children: [] };

/** Breadth first, each digest once; true when the digest was met, else the manifests that would have to be read. */
function walk(root: Digest, digest: Digest, nodeAt: (digest: Digest) => Node | undefined): true | Digest[] {
  if (root === digest) return true;
  const first = nodeAt(root);
  if (first === undefined) return [root];
  if (first.lists.has(digest)) return true;
  const missing: Digest[] = [];
  const met = new Set(first.children);
  for (const child of met) {
    const node = nodeAt(child);
    if (node === undefined) missing.push(child);
    else if (node.lists.has(digest)) return true;
    else for (const next of node.children) met.add(next);
  }
  return missing;
}

function nodeOf({ descriptor, bytes }: ReadManifest): Node {
  const manifest = manifestOrNone(bytes, descriptor.mediaType);
  if (manifest === undefined) return leaf;
  const children = manifest.children.filter(isPerhapsManifest).map(({ digest }) => digest);
  return {
    lists: new Set([...manifest.children, ...manifest.blobs].map(({ digest }) => digest)),
    children: [...new Set(children)],
  };
}

function isPerhapsManifest({ mediaType }: Descriptor): boolean {
  return mediaType === undefined || isManifestType(mediaType);
}

function cannotTell(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'it cannot be told now whether the tag leads to this digest', {
    retryAfterSeconds: 5,
    cause,
  });
}
