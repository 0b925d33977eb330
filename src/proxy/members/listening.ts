import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import type { Server } from 'node:http';

/** Connections in the kernel's queue: a longer one delays our own probes for seconds. */
export const backlog = 4096;

/** An address `host:port` in pieces; the port is 80 where none is said. */
export function addressOf(listen: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`http://${listen}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port === '' ? 80 : port) };
}

/** Where the server listens, `host:port`; `listen` where it has no address of its own. */
export function boundAddress(server: Pick<Server, 'address'>, listen: string): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return listen;
  return bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

/**
 * Listens on `host:port`, or on the path of a Unix socket that no other worker shares; resolves to
 * where it really listens, and rejects when it cannot.
 */
export async function listeningAt(server: Server, listen: string): Promise<string> {
  const isPath = listen.startsWith('/');
  if (isPath) await rm(listen, { force: true });
  server.listen({ ...(isPath ? { path: listen, exclusive: true } : addressOf(listen)), backlog });
  await once(server, 'listening');
  return boundAddress(server, listen);
}
