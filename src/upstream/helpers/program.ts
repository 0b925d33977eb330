import { type ChildProcess, spawn } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { oneLine } from '../../base/text/one-line.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import { fairTimer, unlessAborted } from '../../base/time/wait.ts';

export interface ProgramCall {
  /** An absolute path. No shell, and no search for it. */
  readonly path: string;
  readonly args: readonly string[];
  /** All of its standard input. */
  readonly input: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Its whole process group is killed after this, milliseconds. */
  readonly timeoutMs: number;
  /** Kills it too. */
  readonly signal: AbortSignal;
}

/** A program that ended by itself. */
export interface ProgramEnd {
  /** Null where a signal ended it. */
  readonly code: number | null;
  /** Secret. */
  readonly stdout: Uint8Array;
  /** The start of what it complained of: one line, without what has the form of a credential. */
  readonly stderr: string;
}

/** More of an answer than this is refused, bytes. */
const mostAnswerBytes = 64 * 1024;
/** More of a complaint than this is dropped, bytes. */
const mostComplaintBytes = 4 * 1024;
const longestComplaint = 300;

/** The first of these directories that holds the program: a file that this process may execute. */
export async function findProgram(file: string, directories: readonly string[]): Promise<string | undefined> {
  for (const directory of directories) {
    const path = join(directory, file);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a program to its end, in a process group of its own of which nothing is left afterwards.
 * Throws an Error, in words that follow its name, when it cannot be started, takes too long or
 * writes too much.
 */
export async function runProgram({ timeoutMs, signal, ...call }: ProgramCall): Promise<ProgramEnd> {
  signal.throwIfAborted();
  const child = spawn(call.path, call.args, {
    cwd: '/',
    env: { ...call.env },
    detached: true,
    stdio: 'pipe',
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', (cause: NodeJS.ErrnoException) =>
    reject(new Error(`cannot be started (${cause.code ?? 'unknown error'})`, { cause })),
  );
  // What it left running would hold its pipes open.
  child.once('exit', () => killGroup(child));
  child.once('close', resolve);
  // A program need not read what it is asked.
  child.stdin.once('error', () => {}).end(call.input);
  const tooMuch = (): void => reject(new Error(`answered more than ${mostAnswerBytes / 1024} KiB`));
  const answer = startOf(child.stdout, mostAnswerBytes, tooMuch);
  const complaint = startOf(child.stderr, mostComplaintBytes, () => {});
  const late = (): void => reject(new Error(`did not end within ${timeoutMs / 1000} s`));
  using _limit = fairTimer(late, timeoutMs);
  try {
    const code = await unlessAborted(promise, signal);
    return { code, stdout: answer(), stderr: told(complaint()) };
  } finally {
    if (child.exitCode === null && child.signalCode === null) killGroup(child);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
  }
}

/** The first bytes of a stream that is read to its end; `full` is called when there are more. */
function startOf(stream: Readable, mostBytes: number, full: () => void): () => Buffer {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    if (bytes + chunk.byteLength > mostBytes) full();
    if (bytes < mostBytes) chunks.push(chunk.subarray(0, mostBytes - bytes));
    bytes += chunk.byteLength;
  });
  return () => Buffer.concat(chunks);
}

function told(complaint: Buffer): string {
  return oneLine(scrubbed(complaint.toString('utf8')), longestComplaint);
}

/** It leads its group. Not to be called long after its end, when the number may be another's. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of it is left.
  }
}
