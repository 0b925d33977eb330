import type { Socket } from 'node:net';

/**
 * Why we end a connection within an answer: the answer's source failed, the client takes nothing of
 * it, or the time to shut down is over.
 */
export type OwnCut = 'failure' | 'idle-client' | 'shutdown';

/** The status that says whose a cut is, where the head was sent before; of a failure its own. */
export const cutStatus: Readonly<Record<Exclude<OwnCut, 'failure'>, number>> = {
  'idle-client': 408,
  shutdown: 503,
};

/** The connections that we ended, and why, for the lines of their requests. */
export class OwnCuts {
  readonly #bySocket = new WeakMap<Socket, OwnCut>();
  #ofAll: OwnCut | undefined;

  /** This connection is ended now. */
  one(socket: Socket, cut: OwnCut): void {
    this.#bySocket.set(socket, cut);
  }

  /** Every connection is ended now. */
  all(cut: OwnCut): void {
    this.#ofAll = cut;
  }

  /** Undefined for one that its client ended. */
  of(socket: Socket): OwnCut | undefined {
    return this.#bySocket.get(socket) ?? this.#ofAll;
  }
}
