import { type LentSocket, type Line, lentSocket } from './lent-socket.ts';

/** Connections between two answers. */
export interface KeptSockets {
  /** One that is at rest, else undefined. */
  take(url: URL, line: Line): LentSocket | undefined;
  /** A new one, which `keep` may be called with later. */
  open(url: URL, line: Line): LentSocket;
  /** It has delivered an answer to its last byte; `idleMs` is how long the server will keep it. */
  keep(url: URL, line: Line, socket: LentSocket, idleMs: number): void;
  /** Cuts every connection, whether at rest or not. */
  close(): void;
}

/** At rest for each host: more of them came from a burst that is over. */
const mostAtRest = 16;

/** No connections yet. */
export function keptSockets(): KeptSockets {
  const atRest = new WeakMap<Line, Map<string, LentSocket[]>>();
  const all = new Set<LentSocket>();

  function shelfOf(url: URL, line: Line): LentSocket[] {
    const shelves = atRest.get(line) ?? new Map<string, LentSocket[]>();
    const shelf = shelves.get(url.origin) ?? [];
    atRest.set(line, shelves.set(url.origin, shelf));
    return shelf;
  }

  return {
    take(url, line) {
      const shelf = shelfOf(url, line);
      for (let socket = shelf.pop(); socket !== undefined; socket = shelf.pop()) {
        // It has just been cut, which takes a moment to be known.
        if (socket.isSpent) continue;
        socket.wake();
        return socket;
      }
      return undefined;
    },
    open(url, line) {
      const socket = lentSocket(url, line);
      all.add(socket);
      socket.whenOver(() => all.delete(socket));
      return socket;
    },
    keep(url, line, socket, idleMs) {
      const shelf = shelfOf(url, line);
      if (socket.isSpent || shelf.length >= mostAtRest) return socket.destroy();
      const gone = (): void => {
        clearTimeout(timer);
        const place = shelf.indexOf(socket);
        if (place >= 0) shelf.splice(place, 1);
      };
      const timer = setTimeout(() => socket.destroy(), idleMs);
      timer.unref();
      shelf.push(socket);
      socket.rest(gone);
    },
    close() {
      for (const socket of all) socket.destroy();
    },
  };
}
