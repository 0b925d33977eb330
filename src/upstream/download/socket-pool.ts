import { type ConnectOptions, createPooledSocket, type PooledSocket } from './pooled-socket.ts';

/** Connections between two answers. */
interface SocketPool {
  /** One that is at rest, else undefined. */
  take(url: URL, line: ConnectOptions): PooledSocket | undefined;
  /** A new one, which `keep` may be called with later. */
  open(url: URL, line: ConnectOptions): PooledSocket;
  /** It has delivered an answer to its last byte; `idleMs` is how long the server will keep it. */
  keep(url: URL, line: ConnectOptions, socket: PooledSocket, idleMs: number): void;
  /** Cuts every connection, whether at rest or not, and those that are opened later. */
  close(): void;
}

/** No connections yet. `mostAtRest` are kept for each host. */
export function createSocketPool(mostAtRest: number): SocketPool {
  const atRest = new WeakMap<ConnectOptions, Map<string, PooledSocket[]>>();
  const all = new Set<PooledSocket>();
  let isClosed = false;

  function shelfOf(url: URL, line: ConnectOptions): PooledSocket[] {
    const shelves = atRest.get(line) ?? new Map<string, PooledSocket[]>();
    const shelf = shelves.get(url.origin) ?? [];
    atRest.set(line, shelves.set(url.origin, shelf));
    return shelf;
  }

  return {
    take(url, line) {
      const shelf = shelfOf(url, line);
      for (let socket = shelf.pop(); socket !== undefined; socket = shelf.pop()) {
        // It has just been cut, which is known a turn of the loop later.
        if (socket.isStale) continue;
        socket.acquire();
        return socket;
      }
      return undefined;
    },
    open(url, line) {
      const socket = createPooledSocket(url, line);
      all.add(socket);
      socket.onClose(() => all.delete(socket));
      if (isClosed) socket.destroy();
      return socket;
    },
    keep(url, line, socket, idleMs) {
      const shelf = shelfOf(url, line);
      if (socket.isStale || shelf.length >= mostAtRest) return socket.destroy();
      const gone = (): void => {
        clearTimeout(timer);
        const place = shelf.indexOf(socket);
        if (place >= 0) shelf.splice(place, 1);
      };
      const timer = setTimeout(() => socket.destroy(), idleMs);
      timer.unref();
      shelf.push(socket);
      socket.release(gone);
    },
    close() {
      isClosed = true;
      for (const socket of all) socket.destroy();
    },
  };
}
