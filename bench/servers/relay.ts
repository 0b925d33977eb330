import { createServer, type Socket } from 'node:net';
import { answerQuestions, worker } from './worker.ts';

/** What crossed a relay. */
export interface RelayCounts {
  /** Bytes from the upstream, HTTP heads included. */
  readonly bytes: number;
  /** Bytes to the upstream, likewise. */
  readonly sentBytes: number;
  /** Requests that want content: a head is told by its first word at the beginning of a segment. */
  readonly requests: number;
  /** Requests of any kind. */
  readonly allRequests: number;
}

/** A way to the upstream that counts. */
export interface Relay {
  readonly origin: string;
  counts(): Promise<RelayCounts>;
  reset(): Promise<void>;
  close(): void;
}

type Question<Options> = ({ readonly kind: 'listen' } & Options) | { readonly kind: 'counts' | 'reset' };
type Answer = { readonly port: number } & RelayCounts;

/** A line of a request: an upload's location is long. */
const longestHead = 1500;
const contentLine = /^(?:GET|HEAD) \/v2\/[^ ]+\/(?:manifests|blobs)\//;
const requestLine = /^[A-Z]+ \/v2\/[^ ]* HTTP\//;
const none: RelayCounts = { bytes: 0, sentBytes: 0, requests: 0, allRequests: 0 };

/** Counts what crosses, in the process of the relay. */
export class Meter {
  counts: { -readonly [name in keyof RelayCounts]: number } = { ...none };

  received(chunk: Buffer): void {
    this.counts.bytes += chunk.byteLength;
  }

  /** Returns the beginning of the chunk, where a request has its line. */
  sent(chunk: Buffer): string {
    const text = chunk.toString('latin1', 0, longestHead);
    this.counts.sentBytes += chunk.byteLength;
    if (contentLine.test(text)) this.counts.requests += 1;
    if (requestLine.test(text)) this.counts.allRequests += 1;
    return text;
  }
}

/** Starts the relay of this module in a process of its own. */
export async function relay<Options extends object>(module: URL, options: Options): Promise<Relay> {
  const process = worker<Question<Options>, Answer>(module);
  const { port } = await process.ask({ kind: 'listen', ...options });
  return {
    origin: `http://127.0.0.1:${port}`,
    counts: () => process.ask({ kind: 'counts' }),
    reset: async () => {
      await process.ask({ kind: 'reset' });
    },
    close: process.close,
  };
}

/** The other side: what is done with the connections of a relay with these options. */
export function answerRelay<Options>(
  acceptingOf: (options: Options, meter: Meter) => (client: Socket) => void,
): void {
  const meter = new Meter();
  let port = 0;
  answerQuestions(async (question: Question<Options>): Promise<Answer> => {
    if (question.kind === 'reset') meter.counts = { ...none };
    if (question.kind === 'listen') port = await listening(acceptingOf(question, meter));
    return { port, ...meter.counts };
  });
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
