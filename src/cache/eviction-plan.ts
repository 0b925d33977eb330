import type { StoredBlob } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';

export interface EvictionInput {
  /** Everything the store holds. */
  readonly blobs: readonly StoredBlob[];
  /** Latest use of each digest, milliseconds since the epoch; one without counts as used when it was stored. */
  readonly lastUsed: ReadonlyMap<Digest, number>;
  /** What each stored manifest refers to: blobs, and for an index its manifests. */
  readonly referenced: ReadonlyMap<Digest, readonly Digest[]>;
  /** Kept with all that they refer to, whatever their age. */
  readonly pinned: ReadonlySet<Digest>;
  /** True while the digest is being read or filled; such content is not deleted. */
  readonly isInUse: (digest: Digest) => boolean;
  /** What the store may hold, bytes. */
  readonly maxBytes: number;
  /** Nothing is deleted up to this many hundredths of `maxBytes`. */
  readonly highPercent: number;
  /** Deleting ends at this many hundredths of `maxBytes`. */
  readonly lowPercent: number;
  /** Content stored or used less than this long ago is not deleted, milliseconds: its pull may still be under way. */
  readonly graceMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Why content goes: three ways of being the least recently used. */
export type EvictionReason = 'manifest unused' | 'manifest evicted' | 'blob unused';

/** One deletion, with what explains it. */
export interface Eviction {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Its latest use, or that of what only it refers to; milliseconds since the epoch. */
  readonly usedAt: number;
  readonly reason: EvictionReason;
  /** True for content that refers to other content: it must be deleted before that. */
  readonly isManifest: boolean;
  /** For `manifest evicted`: the manifest whose end this is a part of. */
  readonly with?: Digest;
}

/** Why content stays, each piece counted once, under the first that holds. */
export interface KeptCounts {
  readonly pinned: number;
  readonly inUse: number;
  readonly young: number;
  /** A manifest that stays refers to it. */
  readonly referenced: number;
  /** Nothing protects it; the mark was reached before its turn. */
  readonly spare: number;
}

export interface EvictionPlan {
  /** In order: a manifest stands before what it refers to. */
  readonly delete: readonly Eviction[];
  readonly kept: KeptCounts;
  readonly beforeBytes: number;
  readonly afterBytes: number;
}

/** The store's content as numbers: a million blobs must be planned without a million small objects. */
interface Graph {
  readonly input: EvictionInput;
  readonly indexOf: ReadonlyMap<Digest, number>;
  /** Per blob, milliseconds since the epoch. */
  readonly usedAt: Float64Array;
  /** Per blob, how many manifests that stay refer to it. */
  readonly referrers: Int32Array;
  readonly isDeleted: Uint8Array;
}

/** True once the store holds so much that content must go. */
export function isAboveMark(bytes: number, marks: Pick<EvictionInput, 'maxBytes' | 'highPercent'>): boolean {
  return bytes > (marks.maxBytes * marks.highPercent) / 100;
}

/**
 * Decides what to delete: whole graphs of manifests, and blobs that no stored manifest refers to, least recently used
 * first. A manifest is as recent as its own last use or that of anything that it alone refers to; what others share
 * says nothing, else one base layer in use would hold all that was ever built on it.
 */
export function evictionPlan(input: EvictionInput): EvictionPlan {
  const graph = graphOf(input);
  const beforeBytes = input.blobs.reduce((sum, { size }) => sum + size, 0);
  const evictions: Eviction[] = [];
  let bytes = beforeBytes;
  if (isAboveMark(bytes, input)) {
    const target = (input.maxBytes * input.lowPercent) / 100;
    for (const index of leastRecentFirst(graph)) {
      if (bytes <= target) break;
      for (const eviction of evicted(graph, index)) {
        evictions.push(eviction);
        bytes -= eviction.size;
      }
    }
  }
  return { delete: evictions, kept: keptCounts(graph), beforeBytes, afterBytes: bytes };
}

function graphOf(input: EvictionInput): Graph {
  const { blobs, lastUsed } = input;
  const indexOf = new Map<Digest, number>();
  const usedAt = new Float64Array(blobs.length);
  for (const [index, { digest, storedAt }] of blobs.entries()) {
    indexOf.set(digest, index);
    usedAt[index] = Math.max(storedAt, lastUsed.get(digest) ?? 0);
  }
  const referrers = new Int32Array(blobs.length);
  const graph = { input, indexOf, usedAt, referrers, isDeleted: new Uint8Array(blobs.length) };
  raiseSoleReferrers(graph, countReferrers(graph));
  return graph;
}

/** Counts who refers to each blob, and resolves to one referrer of each: the only one, where the count is 1. */
function countReferrers(graph: Graph): Int32Array {
  const referrerOf = new Int32Array(graph.usedAt.length).fill(-1);
  for (const digest of graph.input.referenced.keys()) {
    const referrer = graph.indexOf.get(digest);
    if (referrer === undefined) continue;
    for (const child of children(graph, digest)) {
      graph.referrers[child] = at(graph.referrers, child) + 1;
      referrerOf[child] = referrer;
    }
  }
  return referrerOf;
}

/** Makes each manifest at least as recent as what it alone refers to, up to the index above it. */
function raiseSoleReferrers(graph: Graph, referrerOf: Int32Array): void {
  for (let start = 0; start < graph.usedAt.length; start += 1) {
    for (let child = start; at(graph.referrers, child) === 1; ) {
      const referrer = at(referrerOf, child);
      if (at(graph.usedAt, referrer) >= at(graph.usedAt, child)) break;
      graph.usedAt[referrer] = at(graph.usedAt, child);
      child = referrer;
    }
  }
}

function leastRecentFirst(graph: Graph): Uint32Array {
  const order = Uint32Array.from(graph.input.blobs.keys());
  return order.sort((a, b) => at(graph.usedAt, a) - at(graph.usedAt, b) || a - b);
}

/** Takes one blob away, and then whatever it alone held and nothing newer used: a graph goes as a whole. */
function* evicted(graph: Graph, root: number): Generator<Eviction, void, undefined> {
  if (!mayGo(graph, root)) return;
  const rootDigest = graph.input.blobs[root]?.digest;
  const waiting = [root];
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    const blob = graph.input.blobs[index];
    if (blob === undefined) continue;
    graph.isDeleted[index] = 1;
    yield eviction(graph, index, blob, rootDigest);
    for (const child of children(graph, blob.digest)) {
      graph.referrers[child] = at(graph.referrers, child) - 1;
      if (at(graph.usedAt, child) <= at(graph.usedAt, root) && mayGo(graph, child)) waiting.push(child);
    }
  }
}

function eviction(graph: Graph, index: number, blob: StoredBlob, root: Digest | undefined): Eviction {
  const isManifest = graph.input.referenced.has(blob.digest);
  const { digest, size } = blob;
  const facts = { digest, size, usedAt: at(graph.usedAt, index), isManifest };
  if (root !== undefined && root !== digest) return { ...facts, reason: 'manifest evicted', with: root };
  return { ...facts, reason: isManifest ? 'manifest unused' : 'blob unused' };
}

function mayGo(graph: Graph, index: number): boolean {
  return at(graph.isDeleted, index) === 0 && protection(graph, index) === 'spare';
}

function protection({ input, usedAt, referrers }: Graph, index: number): keyof KeptCounts {
  const digest = input.blobs[index]?.digest;
  if (digest === undefined) return 'spare';
  if (input.pinned.has(digest)) return 'pinned';
  if (input.isInUse(digest)) return 'inUse';
  if (at(usedAt, index) > input.now - input.graceMs) return 'young';
  return at(referrers, index) > 0 ? 'referenced' : 'spare';
}

function keptCounts(graph: Graph): KeptCounts {
  const counts = { pinned: 0, inUse: 0, young: 0, referenced: 0, spare: 0 };
  for (const index of graph.input.blobs.keys()) {
    if (at(graph.isDeleted, index) === 0) counts[protection(graph, index)] += 1;
  }
  return counts;
}

/** Indexes of what a manifest refers to, each once, without what the store does not hold. */
function children(graph: Graph, manifest: Digest): number[] {
  const indexes = new Set<number>();
  for (const digest of graph.input.referenced.get(manifest) ?? []) {
    const index = graph.indexOf.get(digest);
    if (index !== undefined) indexes.add(index);
  }
  return [...indexes];
}

/** Every index that is asked for lies within the arrays; the type checker cannot know. */
function at(numbers: { readonly [index: number]: number | undefined }, index: number): number {
  return numbers[index] ?? 0;
}
