import type { Fork, PrimaryChannel } from '../../workers/forks.ts';
import type { ProgressState } from './progress-line.ts';

/** Where a command writes text. */
export interface Output {
  write(text: string): unknown;
  /** Whether it is a terminal. Default: false. */
  readonly isTTY?: boolean;
  /** The width of that terminal, where it is known. */
  readonly columns?: number;
  /** The descriptor that it writes to, where it has one. */
  readonly fd?: number;
}

/** Writes one JSON document, on a line. */
export function writeJson(output: Output, document: unknown): void {
  output.write(`${JSON.stringify(document)}\n`);
}

/** What a command may touch of the process it runs in. */
export interface Io {
  /** Results; for `serve` the log. */
  readonly stdout: Output;
  /** What a person should read: complaints, hints, the banner of `serve`. */
  readonly stderr: Output;
  /** All of standard input, as text. */
  input(): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts at a signal, with its name as the reason's message; the command then resolves. */
  readonly signal: AbortSignal;
  /** Calls `heard` at each SIGHUP, to reload the settings, until the result is called. */
  onHangup(heard: () => void): () => void;
  /** Draws how far the command is, until the result is called. Default: nothing is drawn. */
  readonly progress?: (state: () => ProgressState) => () => void;
  /** How this program is several processes. Default: it is one. */
  readonly workers?: WorkerWays;
}

/** To start workers, or to speak to the primary that started this one. */
export type WorkerWays = { readonly createFork: () => Fork } | { readonly channel: PrimaryChannel };

/** A command: resolves to the exit code. 0: success, 1: failure, 2: a mistake in its input. */
export type Run = (args: readonly string[], io: Io) => Promise<number>;

/** The exit code of a command that a signal stopped: 130 for SIGINT, 143 for SIGTERM. */
export function stopCode(reason: unknown): number {
  return reason instanceof Error && reason.message === 'SIGINT' ? 130 : 143;
}
