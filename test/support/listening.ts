import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A server that listens. */
interface Listening {
  readonly port: number;
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /**
   * Ends every connection too, also one that has not asked for anything yet or whose handshake is
   * not over: Node would wait for those.
   */
  close(): Promise<void>;
}

/** Has the server listen on loopback, by default on a free port. */
export async function listening(server: Server, wantedPort = 0): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ...{ port, host: `127.0.0.1:${port}` },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
