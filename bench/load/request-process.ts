/**
 * A request generator on raw sockets, one request at a time on each; for methods and machines that
 * wrk does not serve.
 */
import { connect } from 'node:net';
import { answerQuestions } from '../servers/worker.ts';

export interface RequestQuestion {
  readonly origin: string;
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly durationMs: number;
}

export interface RequestAnswer {
  readonly perSecond: number;
  /** Answers other than 200, and connections that broke. */
  readonly failures: number;
}

async function generate(question: RequestQuestion): Promise<RequestAnswer> {
  const { port, host } = new URL(question.origin);
  const lines = Object.entries({ host, ...question.headers }).map(([name, value]) => `${name}: ${value}`);
  const request = Buffer.from(
    [`${question.method} ${question.path} HTTP/1.1`, ...lines, '', ''].join('\r\n'),
  );
  const tally = { answers: 0, failures: 0 };
  const started = performance.now();
  const stops = Array.from({ length: question.connections }, () =>
    connection(Number(port), request, question.method, tally),
  );
  await new Promise((resolve) => setTimeout(resolve, question.durationMs));
  const seconds = (performance.now() - started) / 1000;
  for (const stop of stops) stop();
  return { perSecond: tally.answers / seconds, failures: tally.failures };
}

/**
 * All answers are of one resource, so the first one tells the length of every body. Returns what
 * ends the connection.
 */
function connection(
  port: number,
  request: Buffer,
  method: 'GET' | 'HEAD',
  tally: { answers: number; failures: number },
): () => void {
  let missing = 0;
  let bodyLength = method === 'HEAD' ? 0 : -1;
  const take = (length: number, buffer: Buffer): void => {
    if (missing > 0) {
      missing -= length;
      return;
    }
    const end = buffer.subarray(0, length).indexOf('\r\n\r\n', 0, 'latin1');
    if (bodyLength < 0) bodyLength = contentLength(buffer.toString('latin1', 0, end));
    if (buffer[9] !== 0x32 || end < 0) tally.failures += 1;
    missing = end + 4 + bodyLength - length;
  };
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: Buffer.alloc(65_536),
      callback: (length, buffer) => {
        take(length, buffer as Buffer);
        if (missing === 0) {
          tally.answers += 1;
          socket.write(request);
        }
        return true;
      },
    },
  });
  socket.once('connect', () => socket.write(request));
  socket.on('error', () => {
    tally.failures += 1;
  });
  return () => socket.destroy();
}

function contentLength(head: string): number {
  return Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
}

answerQuestions(generate);
