import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { answerHeader, askHeader } from '../../fleet/protocol/ask.ts';
import { cutIdleClients } from '../clients/idle-clients.ts';
import { clientSignal, send } from '../http/body.ts';
import { createOrderedServer, type OrderedServerOptions } from '../http/request-order.ts';
import { createMemberDoor, type DoorAnswer, type MemberDoorOptions } from './door.ts';

interface MemberServerOptions extends MemberDoorOptions {
  readonly limits: OrderedServerOptions;
}

/** A member that takes nothing of its answer for so long is gone, milliseconds. */
const idleMemberMs = 30_000;

/**
 * The server between members, not yet listening. Who has no proof gets a bare 404, whatever is
 * asked and however: no framework says more, and no body is read.
 */
export function createMemberServer({ limits, ...options }: MemberServerOptions): Server {
  const { events } = options;
  const door = createMemberDoor(options);

  async function answered(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers, socket } = request;
    const answer = await door({
      method,
      path: url,
      proof: headers[askHeader]?.toString(),
      signal: () => clientSignal(response),
      alive: () => response.writeProcessing(),
    });
    if (answer !== undefined) return written(response, answer);
    events?.strangerRefused?.({ address: socket.remoteAddress ?? '' });
    response.writeHead(404, { 'content-length': 0 }).end();
  }

  async function written(response: ServerResponse, answer: DoorAnswer): Promise<void> {
    const { status, proof, bytes, body, length } = answer;
    const said = bytes?.byteLength ?? (body === undefined ? 0 : length);
    response.writeHead(status, {
      [answerHeader]: proof,
      ...(said === undefined ? {} : { 'content-length': said }),
    });
    if (body === undefined) return void response.end(bytes);
    response.flushHeaders();
    const sent = (count: number): void => events?.memberBytes?.({ direction: 'sent', bytes: count });
    return send(response, body, { sent });
  }

  const server = createOrderedServer(
    (request, response) => {
      // A body that breaks cuts the connection: the member goes on elsewhere from that byte.
      answered(request, response).catch(() => response.destroy());
    },
    { ...limits, requiresHost: false },
  );
  server.on('clientError', (_error, socket) => refuse(socket));
  cutIdleClients(server, { idleClientMs: idleMemberMs, cut: (socket) => socket.destroy() });
  return server;
}

/** What is no HTTP. */
function refuse(socket: Duplex): void {
  if (socket.writable) socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  else socket.destroy();
}
