import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { hasSlept, sleep } from '../../base/time/wait.ts';

interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Where its output goes. */
  readonly log: string;
  /** More variables than ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** A Node that runs this program, which ends when its channel to us does. */
  readonly isOurs?: boolean;
  /** Kills it at once, for good, when it aborts: nothing that it has is worth a wait. */
  readonly signal: AbortSignal;
}

/** A program that the drill runs beside itself, and that ends with it, however that ends. */
export class BesideProgram {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #isWanted = false;
  #ended: Promise<unknown> = Promise.resolve();
  /** How often it ended by itself and was started again. */
  restarts = 0;

  constructor(options: ChildOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#kill(), { once: true });
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.exitCode === null && this.#process.signalCode === null
      ? this.#process.pid
      : undefined;
  }

  /**
   * Starts it; from now on it is started again, after a second, whenever it ends. Throws once the
   * signal has aborted.
   */
  start(): void {
    this.#options.signal.throwIfAborted();
    this.#isWanted = true;
    const { command, args, log, env, isOurs } = this.#options;
    const file = openSync(log, 'a');
    const child = spawn(command, args, {
      stdio: isOurs === true ? ['ignore', file, file, 'ipc'] : ['ignore', file, file],
      ...(env === undefined ? {} : { env: { ...inherited(), ...env } }),
    });
    closeSync(file);
    this.#process = child;
    this.#ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
    if (isOurs !== true) endsWithUs(child);
    this.#ended.then(() => this.#again()).catch(() => undefined);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends it for good, or until the next start: SIGTERM, after 5 s SIGKILL. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#isWanted = false;
    this.signal('SIGCONT');
    this.signal(signal);
    const late = new AbortController();
    const forced = hasSlept(5_000, late.signal).then((isLate) => isLate && this.signal('SIGKILL'));
    await this.#ended;
    late.abort();
    await forced;
  }

  /**
   * Resolves once the port of loopback takes connections. After so many looks, ten a second, the
   * program is ended, and its last words are thrown. Throws as soon as the signal aborts.
   */
  async listens(port: number, mostLooks = 300): Promise<void> {
    for (let looks = 0; looks < mostLooks; looks += 1) {
      if (await isOpen(port)) return;
      await sleep(100, this.#options.signal);
    }
    await this.stop();
    const said = await readFile(this.#options.log, 'utf8').catch(() => '');
    throw new Error(
      `${this.#options.command} does not listen on port ${port}; it said: ${said.slice(-2_000)}`,
    );
  }

  #kill(): void {
    this.#isWanted = false;
    this.signal('SIGKILL');
  }

  async #again(): Promise<void> {
    if (!this.#isWanted || !(await hasSlept(1_000, this.#options.signal))) return;
    if (!this.#isWanted) return;
    this.restarts += 1;
    this.start();
  }
}

/**
 * A shell reads from us until we end, then kills the program. It is in no group of ours: what a
 * terminal sends to us does not reach it.
 */
function endsWithUs(child: ChildProcess): void {
  if (child.pid === undefined) return;
  const script = 'read _; kill -KILL "$1"';
  const watcher = spawn('sh', ['-c', script, 'sh', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.on('error', () => undefined);
  child.once('exit', () => watcher.kill('SIGKILL'));
}

/** What every program may need. */
function inherited(): Readonly<Record<string, string>> {
  return { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/nonexistent' };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Runs a program to its end; resolves to its exit code and to what it said. */
export async function ran(
  command: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly said: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
  const code = await new Promise<number>((resolve) =>
    child.once('close', (status: number | null) => resolve(status ?? 1)).once('error', () => resolve(127)),
  );
  return { code, said };
}
