import type { Server as HttpServer } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import type { MemberDoorOptions } from '../../proxy/members/door.ts';
import { listeningAt } from '../../proxy/members/listening.ts';
import { createMemberServer } from '../../proxy/members/server.ts';
import type { MemberTls } from './member-tls.ts';

export interface MemberPortOptions extends MemberDoorOptions {
  readonly listen: string;
  /** Default: plain HTTP. */
  readonly tls?: Pick<MemberTls, 'current' | 'follow'>;
}

/** The port where other members of the fleet ask. */
export interface MemberPort {
  /** `host:port` where it listens. */
  readonly address: string;
  readonly server: HttpServer;
  /** Accepts nothing more, and resolves once every answer under way has ended. */
  close(): Promise<void>;
  /** Ends every connection now. */
  abort(): void;
}

/** Members send short heads, and keep connections as long as they last. */
const limits = { maxHeaderBytes: 64 * 1024, keepAliveMs: 72_000, requestMs: 60_000 };

/** Resolves once it listens. */
export async function openedMemberPort({ listen, tls, ...options }: MemberPortOptions): Promise<MemberPort> {
  const certificates = tls === undefined ? {} : { tls: { ...tls.current(), requestCert: true } };
  const server = createMemberServer({ ...options, limits: { ...limits, ...certificates } });
  if (tls !== undefined && server instanceof TlsServer) tls.follow(server);
  let isClosing = false;
  server.on('request', (_request, response) => {
    response.once('close', () => {
      if (isClosing) setImmediate(() => server.closeIdleConnections());
    });
  });
  return {
    address: await listeningAt(server, listen),
    server,
    close() {
      isClosing = true;
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      return promise;
    },
    abort: () => server.closeAllConnections(),
  };
}
