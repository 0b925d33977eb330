import type { Digest } from '../../oci/digest.ts';
import type { Inventory, References } from './inventory.ts';

export interface EvictionInput {
  readonly inventory: Inventory;
  /** Latest use of each piece, by its index, milliseconds since the epoch. */
  readonly usedAt: Float64Array;
  /** What each stored manifest refers to: blobs, and for an index its manifests. */
  readonly references: References;
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
  /** Content stored or used more recently is not deleted, milliseconds: a pull may be under way. */
  readonly graceMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Default of `graceMs`: the use by another replica is visible up to eleven minutes later. */
export const defaultGraceMs = 1_200_000;

/** Why content goes: three ways of being the least recently used. */
type EvictionReason = 'manifest unused' | 'manifest evicted' | 'blob unused';

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
interface KeptCounts {
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

/** What changes while the decision is made, by index. */
interface Graph {
  readonly input: EvictionInput;
  /** As in the input, with manifests raised to what they alone refer to. */
  readonly usedAt: Float64Array;
  /** How many manifests that stay refer to each piece. */
  readonly referrers: Int32Array;
  readonly isDeleted: Uint8Array;
}

/** True once the store holds so much that content must go. */
export function isAboveMark(bytes: number, marks: Pick<EvictionInput, 'maxBytes' | 'highPercent'>): boolean {
  return bytes > (marks.maxBytes * marks.highPercent) / 100;
}

/**
 * Decides what to delete: whole graphs of manifests, and blobs that no stored manifest references,
 * least recently used first. A manifest is as recent as its own last use or that of anything that
 * only it references: if shared content counted, one base layer would keep all images built on it.
 */
export function evictionPlan(input: EvictionInput): EvictionPlan {
  const graph = graphOf(input);
  const beforeBytes = input.inventory.sizes.reduce((sum, size) => sum + size, 0);
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
  const { length } = input.inventory;
  const graph = {
    input,
    usedAt: input.usedAt.slice(),
    referrers: new Int32Array(length),
    isDeleted: new Uint8Array(length),
  };
  raiseSoleReferrers(graph, countReferrers(graph));
  return graph;
}

/** Counts the referrers of each piece, and returns one of each: the only one if 1. */
function countReferrers({ input, referrers }: Graph): Int32Array {
  const referrerOf = new Int32Array(referrers.length).fill(-1);
  for (const [referrer, children] of input.references) {
    for (const child of children) {
      referrers[child] = at(referrers, child) + 1;
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
  const order = Uint32Array.from(graph.usedAt.keys());
  return order.sort((a, b) => at(graph.usedAt, a) - at(graph.usedAt, b) || a - b);
}

/** Takes one piece away, then all that only it held and nothing newer used: a graph goes whole. */
function* evicted(graph: Graph, root: number): Generator<Eviction, void, undefined> {
  if (!mayGo(graph, root)) return;
  const waiting = [root];
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    graph.isDeleted[index] = 1;
    yield* eviction(graph, index, root);
    for (const child of graph.input.references.get(index) ?? []) {
      graph.referrers[child] = at(graph.referrers, child) - 1;
      if (at(graph.usedAt, child) <= at(graph.usedAt, root) && mayGo(graph, child)) waiting.push(child);
    }
  }
}

function* eviction({ input, usedAt }: Graph, index: number, root: number): Generator<Eviction> {
  const { sizes } = input.inventory;
  const [digest, rootDigest] = [input.inventory.digestAt(index), input.inventory.digestAt(root)];
  if (digest === undefined || rootDigest === undefined) return;
  const isManifest = input.references.has(index);
  const facts = { digest, size: at(sizes, index), usedAt: at(usedAt, index), isManifest };
  if (index !== root) yield { ...facts, reason: 'manifest evicted', with: rootDigest };
  else yield { ...facts, reason: isManifest ? 'manifest unused' : 'blob unused' };
}

function mayGo(graph: Graph, index: number): boolean {
  return at(graph.isDeleted, index) === 0 && protection(graph, index) === 'spare';
}

function protection({ input, usedAt, referrers }: Graph, index: number): keyof KeptCounts {
  const digest = input.inventory.digestAt(index);
  if (digest === undefined) return 'spare';
  if (input.pinned.has(digest)) return 'pinned';
  if (input.isInUse(digest)) return 'inUse';
  if (at(usedAt, index) > input.now - input.graceMs) return 'young';
  return at(referrers, index) > 0 ? 'referenced' : 'spare';
}

function keptCounts(graph: Graph): KeptCounts {
  const counts = { pinned: 0, inUse: 0, young: 0, referenced: 0, spare: 0 };
  for (const index of graph.isDeleted.keys()) {
    if (at(graph.isDeleted, index) === 0) counts[protection(graph, index)] += 1;
  }
  return counts;
}

/** Every index that is asked for lies within the arrays; the type checker cannot know. */
function at(numbers: { readonly [index: number]: number | undefined }, index: number): number {
  return numbers[index] ?? 0;
}
