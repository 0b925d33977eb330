/**
 * A relay on TCP level that plays the link to the upstream: all its connections together carry no
 * more than so many bytes a second towards the clients, and it counts what crosses. It never looks
 * into a body.
 */
import { connect, createServer, type Socket } from 'node:net';
import { answerQuestions } from './worker.ts';

export interface LinkOptions {
  readonly targetPort: number;
  /** Bytes a second of all connections together. 0 = as fast as the loopback. */
  readonly bytesPerSecond: number;
}

export interface LinkCounts {
  /** Bytes from the upstream, HTTP heads included. */
  readonly bytes: number;
  /** Bytes to the upstream, likewise. */
  readonly sentBytes: number;
  /** Requests that want content: a head is told by its first word at the beginning of a segment. */
  readonly requests: number;
  /** Requests of any kind. */
  readonly allRequests: number;
}

export type LinkQuestion =
  | ({ readonly kind: 'listen' } & LinkOptions)
  | { readonly kind: 'counts' }
  | { readonly kind: 'reset' };
export type LinkAnswer = { readonly port: number } & LinkCounts;

const tickMs = 2;
/** A line of a request: an upload's location is long. */
const longestHead = 1500;
const requestLine = /^(?:GET|HEAD) \/v2\/[^ ]+\/(?:manifests|blobs)\//;
const anyRequestLine = /^[A-Z]+ \/v2\/[^ ]* HTTP\//;
const none = { bytes: 0, sentBytes: 0, requests: 0, allRequests: 0 } as const;

function link(): (question: LinkQuestion) => Promise<LinkAnswer> {
  let counts: { -readonly [name in keyof LinkCounts]: number } = { ...none };
  let port = 0;
  return async (question) => {
    if (question.kind === 'reset') counts = { ...none };
    if (question.kind === 'listen') {
      const gate = throttle(question.bytesPerSecond);
      port = await listening((client) =>
        relay(client, question.targetPort, gate, {
          received: (bytes) => {
            counts.bytes += bytes;
          },
          sent: (chunk) => {
            const text = chunk.toString('latin1', 0, longestHead);
            counts.sentBytes += chunk.byteLength;
            if (requestLine.test(text)) counts.requests += 1;
            if (anyRequestLine.test(text)) counts.allRequests += 1;
          },
        }),
      );
    }
    return { port, ...counts };
  };
}

interface Meter {
  received(bytes: number): void;
  sent(chunk: Buffer): void;
}

function relay(client: Socket, targetPort: number, gate: Gate, meter: Meter): void {
  const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
  client.setNoDelay(true);
  client.on('data', (chunk: Buffer) => {
    meter.sent(chunk);
    const isFull = !upstream.write(chunk);
    if (isFull) client.pause();
  });
  upstream.on('drain', () => client.resume());
  upstream.on('data', (chunk: Buffer) => {
    meter.received(chunk.byteLength);
    const isFull = !client.write(chunk);
    if (isFull) client.once('drain', () => gate.resume(upstream));
    gate.spend(chunk.byteLength);
    if (isFull) upstream.pause();
    else gate.passOrWait(upstream);
  });
  client.on('end', () => upstream.end());
  upstream.on('end', () => client.end());
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

interface Gate {
  spend(bytes: number): void;
  /** Pauses the socket until there is room, first come first served. */
  passOrWait(socket: Socket): void;
  /** Resumes the socket as soon as there is room. */
  resume(socket: Socket): void;
}

/**
 * A token bucket that may go into debt by one chunk; idle time saves up no more than four ticks.
 */
function throttle(bytesPerSecond: number): Gate {
  if (bytesPerSecond === 0)
    return { spend: () => {}, passOrWait: () => {}, resume: (socket) => socket.resume() };
  const waiting: Socket[] = [];
  let tokens = 0;
  let at = performance.now();
  setInterval(() => {
    const now = performance.now();
    tokens = Math.min(tokens + ((now - at) / 1000) * bytesPerSecond, (4 * tickMs * bytesPerSecond) / 1000);
    at = now;
    for (let free = tokens; free > 0 && waiting.length > 0; free -= 65_536) waiting.shift()?.resume();
  }, tickMs);
  return {
    spend: (bytes) => {
      tokens -= bytes;
    },
    passOrWait: (socket) => {
      if (tokens > 0 && waiting.length === 0) return;
      socket.pause();
      waiting.push(socket);
    },
    resume: (socket) => waiting.push(socket),
  };
}

function listening(accept: (client: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, accept);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? 0 : address.port);
    });
  });
}

answerQuestions(link());
