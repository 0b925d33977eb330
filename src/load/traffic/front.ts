import {
  createServer,
  type IncomingMessage,
  Agent as PlainAgent,
  request as plainRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline, Transform } from 'node:stream';
import { field, jsonOrNone } from '../../base/text/json.ts';
import { LoadFailure } from '../client/failure.ts';
import { pageAt } from './page.ts';
import type { TrafficCount, TrafficCounter } from './traffic.ts';

interface FrontOptions {
  readonly upstream: URL;
  readonly host: string;
  readonly port: number;
}

/** A listener before an upstream that counts what passes. */
export interface Front {
  readonly url: string;
  readonly count: TrafficCount;
  close(): Promise<void>;
}

/** Where it says what it has counted. Not below `/v2/`, so no registry has that. */
const countersPath = '/quayside-load/counters';

/** Not passed on: they are about one connection (RFC 9110 section 7.6.1). */
const hopFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'upgrade',
]);

/**
 * Listens, passes every request to the upstream with its own `Host`, and counts the bytes of bodies
 * that come back. Redirects pass as they are: bytes from storage behind the upstream do not come
 * this way.
 */
export async function createFront({ upstream, host, port }: FrontOptions): Promise<Front> {
  const count = { bytes: 0, requests: 0 };
  const isTls = upstream.protocol === 'https:';
  const agent = isTls ? new TlsAgent({ keepAlive: true }) : new PlainAgent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === countersPath) return void outgoing.end(JSON.stringify(count));
    count.requests += 1;
    const counted = (bytes: number): void => {
      count.bytes += bytes;
    };
    passed(incoming, outgoing, { upstream, agent, counted });
  });
  server.requestTimeout = 0;
  await listening(server, host, port);
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    count,
    async close() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The counter of a front, asked over HTTP. */
export function createFrontCounter(front: URL): TrafficCounter {
  return {
    source: 'front',
    async read(signal) {
      const page = jsonOrNone(await pageAt(new URL(countersPath, front), signal));
      const [bytes, requests] = [field(page, 'bytes'), field(page, 'requests')];
      if (typeof bytes === 'number' && typeof requests === 'number') return { bytes, requests };
      throw new LoadFailure('counter', `${front.href} is no front of quayside load front`);
    },
  };
}

interface Passing {
  readonly upstream: URL;
  readonly agent: PlainAgent;
  readonly counted: (bytes: number) => void;
}

function passed(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { upstream, agent, counted }: Passing,
): void {
  const url = new URL(`${upstream.pathname.replace(/\/$/, '')}${incoming.url ?? '/'}`, upstream);
  const request = upstream.protocol === 'https:' ? tlsRequest : plainRequest;
  const headers = { ...withoutHops(incoming.headers), host: upstream.host };
  const asked = request(url, { method: incoming.method, headers, agent }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, withoutHops(answer.headers));
    const counter = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        counted(chunk.byteLength);
        done(undefined, chunk);
      },
    });
    pipeline(answer, counter, outgoing, () => undefined);
  });
  asked.once('error', () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end();
  });
  outgoing.once('close', () => asked.destroy());
  pipeline(incoming, asked, () => undefined);
}

function withoutHops(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopFields.has(name)));
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
