import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../../oci/content.ts';
import type { Digest } from '../../oci/digest.ts';
import { isNotFound, RegistryError } from '../../oci/errors.ts';
import { digestsIn, isManifestType, type Manifest } from '../../oci/manifest.ts';
import { createParsedManifests, type ParsedManifests, type ReadManifest } from '../records/parsed.ts';

/** What one manifest lists. True for ever, as the manifest is. */
interface ListedDigests {
  readonly lists: ReadonlySet<Digest>;
  /** Those of them that may be manifests. */
  readonly children: readonly Digest[];
}

/** One question on its way through manifests that were not in memory. */
interface Search {
  readonly reader: ManifestReader;
  readonly loaded: Map<Digest, ListedDigests>;
  /** Not stored: to be had from the upstream, if at all. */
  readonly remote: Set<Digest>;
  readonly failures: unknown[];
}

/** Where the manifests of a repository are read, the cheapest first. */
export interface ManifestReader {
  /** From memory. */
  peek(digest: Digest): ReadManifest | undefined;
  /** From memory or the store. */
  stored(digest: Digest): Promise<ReadManifest | undefined>;
  /** From wherever it can be had; throws `MANIFEST_UNKNOWN` for one that is nowhere. */
  read(digest: Digest): Promise<ReadManifest>;
}

/** The content of manifests: children, theirs, configs and layers; not a referrer's subject. */
export interface ManifestGraph {
  /** Whether the root is or references the digest; undefined if manifests must be read. */
  containsInMemory(root: Digest, digest: Digest, reader: Pick<ManifestReader, 'peek'>): boolean | undefined;
  /**
   * Whether it does. Asks the upstream only for manifests that are stored nowhere, and only if the
   * others lack the digest. Throws `UNAVAILABLE` if manifests are unreadable or too many.
   */
  contains(root: Digest, digest: Digest, reader: ManifestReader): Promise<boolean>;
}

interface ManifestGraphOptions {
  /** Digests kept in memory, in all manifests together, about 0.15 KB each. Default 200,000. */
  readonly maxDigests?: number;
  /** Manifests read for one question, and children that it visits. Default 1,000. */
  readonly mostRead?: number;
  /** What manifests list, by bytes that fit their digests. Default: a memory of its own. */
  readonly parsed?: Pick<ParsedManifests, 'orNone'>;
}

const readAtOnce = 8;

/** Nothing is in memory yet. */
export function createManifestGraph(options: ManifestGraphOptions = {}): ManifestGraph {
  const { maxDigests = 200_000, mostRead = 1_000, parsed = createParsedManifests() } = options;
  const nodes = new LRUCache<Digest, ListedDigests>({
    maxSize: maxDigests,
    sizeCalculation: ({ lists }) => lists.size + 1,
  });

  function kept(digest: Digest, manifest: ReadManifest | undefined): ListedDigests | undefined {
    if (manifest === undefined) return undefined;
    const content = parsed.orNone(manifest);
    if (content === undefined) return leaf;
    const node = nodeOf(content);
    nodes.set(digest, node);
    return node;
  }

  const nodeIn = (digest: Digest, reader: Pick<ManifestReader, 'peek'>): ListedDigests | undefined =>
    nodes.get(digest) ?? kept(digest, reader.peek(digest));

  async function lookStored({ reader, loaded, remote }: Search, digest: Digest): Promise<void> {
    const node = kept(digest, await reader.stored(digest));
    if (node === undefined) remote.add(digest);
    else loaded.set(digest, node);
  }

  /** Unreadable content is skipped for this search: the digest may be found without it. */
  async function fetched({ reader, loaded, failures }: Search, digest: Digest): Promise<void> {
    try {
      loaded.set(digest, kept(digest, await reader.read(digest)) ?? leaf);
    } catch (error) {
      if (!isNotFound(error)) failures.push(error);
      loaded.set(digest, leaf);
    }
  }

  function loadSome(search: Search, missing: readonly Digest[]): Promise<unknown> {
    const untried = missing.filter((each) => !search.remote.has(each)).slice(0, readAtOnce);
    return untried.length > 0
      ? Promise.all(untried.map((each) => lookStored(search, each)))
      : Promise.all(missing.slice(0, readAtOnce).map((each) => fetched(search, each)));
  }

  return {
    containsInMemory(root, digest, reader) {
      const walked = walk({ root, digest, mostMissing: mostRead }, (each) => nodeIn(each, reader));
      return walked === true ? true : walked.length === 0 ? false : undefined;
    },
    async contains(root, digest, reader) {
      const search: Search = { reader, loaded: new Map(), remote: new Set(), failures: [] };
      const nodeAt = (each: Digest): ListedDigests | undefined =>
        search.loaded.get(each) ?? nodeIn(each, reader);
      for (;;) {
        const missing = walk({ root, digest, mostMissing: mostRead }, nodeAt);
        if (missing === true) return true;
        if (missing.length === 0) break;
        if (search.loaded.size >= mostRead)
          throw cannotTell(new Error('the tag references too many manifests for one request'));
        await loadSome(search, missing);
      }
      if (search.failures.length > 0) throw cannotTell(search.failures[0]);
      return false;
    },
  };
}

/** What is no manifest, or is nowhere. */
const leaf: ListedDigests = { lists: new Set(), children: [] };

/** From where to where, and after how many manifests that would have to be read a walk ends. */
interface Walk {
  readonly root: Digest;
  readonly digest: Digest;
  readonly mostMissing: number;
}

/** Breadth first, each digest once; true if the digest was met, else the manifests left to read. */
function walk(
  { root, digest, mostMissing }: Walk,
  nodeAt: (digest: Digest) => ListedDigests | undefined,
): true | Digest[] {
  if (root === digest) return true;
  const first = nodeAt(root);
  if (first === undefined) return [root];
  if (first.lists.has(digest)) return true;
  const missing: Digest[] = [];
  const met = new Set(first.children);
  for (const child of met) {
    const node = nodeAt(child);
    if (missing.length >= mostMissing) break;
    if (node === undefined) missing.push(child);
    else if (node.lists.has(digest)) return true;
    else for (const next of node.children) met.add(next);
  }
  return missing;
}

function nodeOf(manifest: Manifest): ListedDigests {
  const children = manifest.children.filter(isPerhapsManifest).map(({ digest }) => digest);
  return { lists: digestsIn(manifest), children: [...new Set(children)] };
}

function isPerhapsManifest({ mediaType }: Descriptor): boolean {
  return mediaType === undefined || isManifestType(mediaType);
}

/** Neither a yes nor a no. */
export function cannotTell(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'cannot determine now whether the tag references this digest', {
    retryAfterSeconds: 5,
    cause,
  });
}
