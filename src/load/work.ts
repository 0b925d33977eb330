// Room `load`: what a load is and what it found, as the rooms in it share it. In: arrivals, and
// what happened. Out: measurements that add up, and the result for the report. Imports: base, oci.

import type { ByteRange } from '../oci/content.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference, Repository } from '../oci/reference.ts';

/** A whole image, asked for as a node asks: reference, platform manifest, config, layers. */
interface ImagePull {
  readonly kind: 'pull';
  readonly repository: Repository;
  readonly reference: Reference;
  /** What the node has already and does not ask for. Default: nothing. */
  readonly have?: ReadonlySet<Digest>;
}

/** An image of which a lazy puller reads the manifests, and of each layer some ranges. */
interface LazyPull {
  readonly kind: 'lazy';
  readonly repository: Repository;
  readonly reference: Reference;
  /** Ranges of each layer. */
  readonly ranges: number;
  /** The size of each, bytes. */
  readonly rangeBytes: number;
  /** Decides where the ranges lie. */
  readonly seed: number;
}

/** One request, as a trace recorded it. */
interface SingleRequest {
  readonly kind: 'request';
  readonly method: 'GET' | 'HEAD';
  /** From `/v2/` on, with its query. The target decides what is put before it. */
  readonly path: string;
  readonly range?: ByteRange;
  /** What the trace says that the answer had, bytes. */
  readonly bytes?: number;
}

/** A tag that is to point to its next image from now on: a push to the upstream of the target. */
interface TagMove {
  readonly kind: 'move';
  readonly repository: Repository;
  readonly tag: string;
}

type ArrivalWork = ImagePull | LazyPull | SingleRequest | TagMove;

/** Work that is due at a time, whether or not earlier work is done. */
export interface Arrival {
  /** Since the start of the load, milliseconds; never less than that of the arrival before. */
  readonly atMs: number;
  /** Who asks: connections and logins are shared within one node. */
  readonly node: string;
  readonly work: ArrivalWork;
}

/** Arrivals in the order of their time: a model, or a trace. Read once. */
export type Arrivals = AsyncIterable<Arrival> | Iterable<Arrival>;
