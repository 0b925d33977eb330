/** Where a command writes text. */
export interface Output {
  write(text: string): unknown;
  /** Whether somebody looks at it on a terminal. Default: no. */
  readonly isTTY?: boolean;
}

/** What a command may touch of the process it runs in. */
export interface Io {
  /** Results; for `serve` the log. */
  readonly stdout: Output;
  /** What a person should read: complaints, hints, the banner of `serve`. */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the process is asked to end, for a reason whose message is the signal's name; the command then finishes what it must and resolves. */
  readonly signal: AbortSignal;
  /** Calls `heard` at each request to read the settings again (SIGHUP), until the function it gives is called. */
  onHangup(heard: () => void): () => void;
}

/** One command: resolves to the exit code. 0 is success, 1 a failure, 2 a mistake of whoever wrote the command or the file. */
export type Run = (args: readonly string[], io: Io) => Promise<number>;

/** What a command that a signal kept from its work ends with, as shells have it: 130 after SIGINT, 143 after SIGTERM. */
export function stopCode(reason: unknown): number {
  return reason instanceof Error && reason.message === 'SIGINT' ? 130 : 143;
}
