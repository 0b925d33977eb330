import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

interface ProgramOptions {
  /** Names the program in errors and its log file. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The program is ready once this port of 127.0.0.1 accepts. */
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  /** How long it may take to get ready, in milliseconds. Default 15,000. */
  readonly readyMs?: number;
}

/** A running program of ours. */
export interface Program {
  readonly pid: number;
  /** Asks it to end, and makes it end after five seconds. Harmless when it has ended. */
  stop(): Promise<void>;
}

/** Starts programs and owns every one of them until it has ended. */
export interface Programs {
  /** Resolves once it accepts connections; throws with the end of its output when it never does. */
  start(options: ProgramOptions): Promise<Program>;
  stopAll(): Promise<void>;
}

/** Programs whose output goes to `<directory>/<name>.log`; none outlives this process. */
export function programs(directory: string): Programs {
  const running = new Set<ChildProcess>();
  const killAll = (): void => {
    for (const child of running) child.kill('SIGKILL');
  };
  process.on('exit', killAll);
  return {
    async start(options) {
      const logFile = join(directory, `${options.name.replaceAll(' ', '-')}.log`);
      const child = spawned(options, logFile);
      running.add(child);
      child.once('exit', () => running.delete(child));
      await ready(child, options, logFile);
      return { pid: child.pid ?? 0, stop: () => ended(child) };
    },
    async stopAll() {
      await Promise.all([...running].map(ended));
      process.off('exit', killAll);
    },
  };
}

/** The path of a program, or undefined when this machine has none of that name. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function spawned(options: ProgramOptions, logFile: string): ChildProcess {
  const log = openSync(logFile, 'a');
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
  });
  closeSync(log);
  return child;
}

async function ready(child: ChildProcess, options: ProgramOptions, logFile: string): Promise<void> {
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`${options.name} ended (${code ?? signal})`)));
  });
  try {
    await Promise.race([failed, accepting(options.port, options.readyMs ?? 15_000, options.name)]);
  } catch (error) {
    await ended(child);
    const output = await readFile(logFile, 'utf8').catch(() => '');
    const last = output.trimEnd().split('\n').slice(-8).join('\n');
    throw new Error(`${options.name} did not start: ${last}`, { cause: error });
  }
}

async function accepting(port: number, readyMs: number, name: string): Promise<void> {
  const deadline = performance.now() + readyMs;
  while (performance.now() < deadline) {
    if (await isAccepting(port)) return;
    await after(20);
  }
  throw new Error(`${name} does not listen on port ${port} after ${readyMs} ms`);
}

function isAccepting(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const impatient = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(impatient);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
