// Room `load/client`: asks as the nodes of a cluster ask. In: work that is due, a target. Out: what
// it took, told to a recorder. Imports: base, load, load/verify, oci, upstream, upstream/download,
// upstream/http, upstream/login, upstream/resilience.

import { Semaphore } from '../../base/flow/semaphore.ts';
import type { Digest } from '../../oci/digest.ts';
import type { LoadRecorder } from '../recorder.ts';
import type { DigestChecks } from '../verify/digest-check.ts';
import type { Arrival } from '../work.ts';
import type { NodeContext } from './exchange.ts';
import { type ClientKind, mannersOf } from './manners.ts';
import { lazilyPulled, pulled } from './pull.ts';
import { requested } from './single.ts';
import type { LoadTarget } from './target.ts';
import { createWire, type Wire } from './wire.ts';

/** How nodes ask. Plain JSON. */
export interface NodeSettings {
  readonly client: ClientKind;
  /** Blobs that one node receives at a time. */
  readonly perNode: number;
  /** `os/architecture`. */
  readonly platform: string;
  /** Whether a node asks again for what it has pulled before. */
  readonly isForgetful: boolean;
  /** A body that brings nothing for so long is given up, milliseconds. */
  readonly progressTimeoutMs: number;
}

interface NodesOptions extends NodeSettings {
  readonly target: LoadTarget;
  readonly recorder: LoadRecorder;
  readonly checks: DigestChecks;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** Moves a tag of the upstream of the target. Default: not possible. */
  readonly moved?: (repository: string, tag: string) => Promise<void>;
}

/** All nodes of one load. */
export interface LoadNodes {
  /** Does the work of an arrival. Rejects with LoadFailure, or with the reason of the signal. */
  work(arrival: Arrival): Promise<void>;
  /** Resolves once the last digest is checked. */
  checked(): Promise<void>;
  /** Cuts every connection. */
  close(): Promise<void>;
}

/** A trace may name thousands: beyond these, several share one's connections. */
const mostNodes = 256;

/** Nodes that come to be with their first work. */
export function createNodes(options: NodesOptions): LoadNodes {
  const nodes = new Map<string, NodeContext & { readonly wire: Wire }>();
  const checking = new Set<Promise<void>>();
  const names: string[] = [];

  function nodeOf(wanted: string): NodeContext {
    const found = nodes.get(wanted);
    if (found !== undefined) return found;
    const shared = nodes.get(names[indexOf(wanted)] ?? '');
    if (names.length >= mostNodes && shared !== undefined) return shared;
    const fresh = createNode(options, checking);
    nodes.set(wanted, fresh);
    names.push(wanted);
    return fresh;
  }

  return {
    work: async ({ node, work, atMs }) => {
      if (work.kind === 'move') return options.moved?.(work.repository, work.tag);
      const asker = nodeOf(node);
      const asked = { ...work, sinceMs: atMs };
      if (asked.kind === 'pull') return pulled(asker, asked, asked.have);
      return asked.kind === 'lazy' ? lazilyPulled(asker, asked) : requested(asker, asked);
    },
    checked: async () => void (await Promise.allSettled(checking)),
    close: async () => void (await Promise.allSettled([...nodes.values()].map(({ wire }) => wire.close()))),
  };
}

function createNode(
  options: NodesOptions,
  checking: Set<Promise<void>>,
): NodeContext & { readonly wire: Wire } {
  const { client, perNode, isForgetful, progressTimeoutMs, recorder, now } = options;
  const manners = mannersOf(client);
  const { target } = options;
  const { firstByteTimeoutMs } = manners;
  const sent = (): void => recorder.requested(now());
  const wire = createWire({ target, firstByteTimeoutMs, progressTimeoutMs, sent });
  return {
    ...options,
    send: wire.send,
    wire,
    manners,
    checking,
    permits: new Semaphore({ permits: perNode }),
    ...(isForgetful ? {} : { kept: new Set<Digest>() }),
  };
}

function indexOf(name: string): number {
  let hash = 0;
  for (const letter of name) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0)) >>> 0;
  return hash % mostNodes;
}
