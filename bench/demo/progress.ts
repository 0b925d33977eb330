import type { WriteStream } from 'node:tty';
import { duration, size } from './row.ts';
import type { Traffic } from './upstream.ts';

/** Shows one step while it runs. */
interface Progress {
  /** Bytes that reached a client. */
  received(bytes: number): void;
  /** Ends the step; its result stays as a line. */
  done(result: string): void;
}

interface ProgressOptions {
  readonly label: string;
  /** Bytes that the clients will get in all. */
  readonly expected: number;
  readonly upstream: () => Traffic;
}

const barWidth = 24;

/** A line that moves on a terminal and stays as the result; elsewhere the result alone. */
export function progress(out: WriteStream, { label, expected, upstream }: ProgressOptions): Progress {
  const started = performance.now();
  const before = upstream().bytes;
  let bytes = 0;
  const draw = (): void => {
    const rate = bytes / (performance.now() - started) / 1000;
    const facts = [`${size(bytes)} of ${size(expected)}`, `${rate.toFixed(0)} MB/s`];
    const from = `upstream ${size(upstream().bytes - before)}`;
    out.write(`\r\u001b[K${label}  ${bar(bytes / Math.max(1, expected))}  ${[...facts, from].join('   ')}`);
  };
  const timer = out.isTTY ? setInterval(draw, 100) : undefined;
  return {
    received(more) {
      bytes += more;
    },
    done(result) {
      clearInterval(timer);
      const time = duration(performance.now() - started);
      out.write(`${out.isTTY ? '\r\u001b[K' : ''}${label}  ${result}, ${time}\n`);
    },
  };
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
}
