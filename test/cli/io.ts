import type { Io } from '../../src/cli/flags/io.ts';

/** An `Io` that keeps what is written. */
export interface RecordedIo extends Io {
  out(): string;
  err(): string;
}

/**
 * A command's surroundings for a test: no process, an empty environment, a signal and a
 * standard input of the test's own.
 */
export function recordedIo(signal: AbortSignal = new AbortController().signal, input = ''): RecordedIo {
  const out: string[] = [];
  const err: string[] = [];
  return {
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    input: () => Promise.resolve(input),
    env: {},
    signal,
    onHangup: () => () => undefined,
    out: () => out.join(''),
    err: () => err.join(''),
  };
}
