import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface IdleClientsOptions {
  /** How long a client may take nothing of an answer that is there, in milliseconds. */
  readonly idleClientMs: number;
  /** The connection is ended now. */
  readonly cut: (socket: Socket) => void;
}

/** Cuts idle clients of a server. */
interface IdleClients {
  /** Another limit: for connections to come, and for others from their next request on. */
  change(idleClientMs: number): void;
}

/**
 * Cuts clients that take nothing of their answer for `idleClientMs`, at the latest after twice
 * that: they hold a slot, a download's file, and memory. One that waits for us is left alone,
 * however long. Node's timer of a socket counts what the kernel takes of a write under way as
 * activity, so one that reads slowly is not cut.
 */
export function cutIdleClients(server: Server, { idleClientMs, cut }: IdleClientsOptions): IdleClients {
  const latest = new WeakMap<Socket, ServerResponse>();
  server.timeout = idleClientMs;
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    latest.set(socket, response);
  });
  server.on('timeout', (socket: Socket) => {
    const isUnread = socket.writableLength > 0;
    const response = latest.get(socket);
    const isOurTurn = response !== undefined && !response.writableFinished && !response.destroyed;
    if (isOurTurn && !isUnread) {
      socket.setTimeout(server.timeout);
      return;
    }
    if (isUnread) cut(socket);
    socket.destroy();
  });
  return {
    change(changed) {
      server.timeout = changed;
    },
  };
}
