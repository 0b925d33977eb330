/**
 * A paced request generator on raw sockets: what matters is how long each answer took, not how many
 * there were.
 */
import { connect } from 'node:net';
import { answerQuestions } from '../servers/worker.ts';

export interface LatencyQuestion {
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** HEAD requests a second, over all connections. */
  readonly perSecond: number;
  readonly durationMs: number;
}

export interface LatencyAnswer {
  /** From the moment a request was due to the end of its answer, in milliseconds, sorted. */
  readonly latenciesMs: Float64Array;
  /** Answers other than 200, connections that broke, requests that were not answered. */
  readonly failures: number;
}

async function generate(question: LatencyQuestion): Promise<LatencyAnswer> {
  const { connections, perSecond, durationMs } = question;
  const tally: Tally = { latenciesMs: [], failures: 0 };
  const lines = Array.from({ length: connections }, () => line(question, tally));
  const startedAt = performance.now();
  let sent = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsed = Math.min(durationMs, performance.now() - startedAt);
      for (; sent < (elapsed * perSecond) / 1000; sent += 1)
        lines[sent % connections]?.ask(startedAt + (sent * 1000) / perSecond);
      if (elapsed < durationMs) return;
      clearInterval(timer);
      setTimeout(resolve, graceMs);
    }, 1);
  });
  for (const { close } of lines) close();
  return { latenciesMs: Float64Array.from(tally.latenciesMs).sort(), failures: tally.failures };
}

/**
 * What is not answered this long after the last request was due counts as failed, in milliseconds.
 */
const graceMs = 1000;

interface Tally {
  readonly latenciesMs: number[];
  failures: number;
}

/**
 * One connection. A request that is due while another is under way waits for its turn, which counts
 * as part of its time.
 */
function line({ origin, path, headers }: LatencyQuestion, tally: Tally) {
  const { host, port } = new URL(origin);
  const fields = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}`);
  const request = Buffer.from([`HEAD ${path} HTTP/1.1`, ...fields, '', ''].join('\r\n'));
  const due: number[] = [];
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  socket.on('data', (head) => {
    const dueAtMs = due.shift();
    if (dueAtMs !== undefined) tally.latenciesMs.push(performance.now() - dueAtMs);
    if (!head.toString('latin1', 0, 12).endsWith(' 200')) tally.failures += 1;
    if (due.length > 0) socket.write(request);
  });
  socket.on('error', () => {
    tally.failures += 1;
  });
  return {
    ask(dueAtMs: number): void {
      due.push(dueAtMs);
      if (due.length === 1) socket.write(request);
    },
    close(): void {
      tally.failures += due.length;
      socket.destroy();
    },
  };
}

answerQuestions(generate);
