/** A program run to its end, with bounds: how long, how much output, and who may stop it. */
import { type ChildProcess, spawn } from 'node:child_process';

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Then the program and its children are killed. Milliseconds, default 60,000. */
  readonly timeoutMs?: number;
  /** Resolve whatever the exit code is. Default false: anything but 0 throws. */
  readonly mayFail?: boolean;
  /** Written to its standard input. Default: nothing. */
  readonly input?: string;
  readonly signal?: AbortSignal;
}

export interface Finished {
  readonly code: number;
  /** Read as UTF-8 when asked for. */
  readonly stdout: string;
  readonly stderr: string;
  /** The bytes of standard output as they came. */
  readonly bytes: Buffer;
}

/**
 * Runs `command`; throws when it cannot start, is stopped, or fails (unless it may), with its last
 * words.
 */
export async function finished(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const limit = AbortSignal.timeout(options.timeoutMs ?? 60_000);
  const signal = options.signal === undefined ? limit : AbortSignal.any([limit, options.signal]);
  signal.throwIfAborted();
  const result = await spawned(command, args, options, signal);
  const words = `${command} ${args.join(' ')}`;
  if (signal.aborted) throw new Error(`${words}: stopped: ${String(signal.reason)}\n${result.stderr}`);
  if (result.code !== 0 && options.mayFail !== true) {
    throw new Error(`${words}: exit ${result.code}\n${(result.stderr || result.stdout).slice(-2000)}`);
  }
  return result;
}

function spawned(
  command: string,
  args: readonly string[],
  options: RunOptions,
  signal: AbortSignal,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      detached: true,
    });
    follow(child);
    const kill = () => {
      if (child.pid !== undefined) killGroup(child.pid);
    };
    signal.addEventListener('abort', kill, { once: true });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    child.once('error', reject);
    child.once('close', (code) => {
      signal.removeEventListener('abort', kill);
      const bytes = Buffer.concat(out);
      const stderr = Buffer.concat(err).toString();
      resolve({
        code: code ?? -1,
        bytes,
        stderr,
        get stdout() {
          return bytes.toString();
        },
      });
    });
  });
}

/** Process groups that were started detached and have not ended. */
const running = new Set<number>();

/** Notes the group of a program, for `killRunning`. */
export function follow(program: ChildProcess): void {
  const { pid } = program;
  if (pid === undefined) return;
  running.add(pid);
  program.once('exit', () => running.delete(pid));
}

/** Ends what this process started, before it ends itself in the middle of a test. */
export function killRunning(): void {
  for (const pid of running) killGroup(pid);
}

/** Ends a process group that was started detached; nothing happens when it is gone already. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: the process is gone
  }
}
