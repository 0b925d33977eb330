import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptManifests } from '../../src/oci/manifest.ts';
import { lookUp } from '../load/look-up.ts';

/**
 * A proxy that does what the front door of OpenShift CI did: it asks whether its own token still
 * holds, then forwards, each time.
 */
export interface OldWay {
  /** Requests to the upstream for each of a client's. */
  callsPerRequest(path: string): Promise<number>;
  close(): Promise<void>;
}

const requests = 100;

/**
 * Before a registry at `upstream`, an origin, without logins: only the number of calls is of
 * interest.
 */
export async function oldWay(upstream: string): Promise<OldWay> {
  let calls = 0;
  const ask = async (path: string, headers: IncomingMessage['headers']): Promise<IncomingMessage> => {
    calls += 1;
    const asked = request(`${upstream}${path}`, { headers }).end();
    const [answer]: IncomingMessage[] = await once(asked, 'response');
    if (answer === undefined) throw new Error(`no answer from ${upstream}${path}`);
    return answer;
  };
  const forward = async ({ url = '', headers }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const check = await ask('/v2/', {});
    check.resume();
    const answer = await ask(url, headers);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  };
  const server = createServer((asked, response) => {
    forward(asked, response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    async callsPerRequest(path) {
      calls = 0;
      for (let index = 0; index < requests; index += 1)
        await lookUp(`${origin}${path}`, { accept: acceptManifests });
      return calls / requests;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
