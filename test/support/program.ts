/**
 * Real programs for tests: each test has a **stage**, a temporary directory with everything it
 * started; closing the stage ends every program and takes the directory away, whatever happened
 * before.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { access, constants, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Finished, finished, follow, killGroup, type RunOptions } from './run-command.ts';

interface StartOptions {
  /**
   * Names the log file; the command's last path component without. Must differ between programs of
   * one stage.
   */
  readonly name?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * One program that runs until it is stopped. Its standard output and error go to one file in the
 * stage's directory.
 */
export interface Program {
  readonly name: string;
  readonly pid: number;
  /** Everything that it has written so far. */
  output(): Promise<string>;
  /** Resolves to its output once that contains the text; throws when the program ends first. */
  said(text: string): Promise<string>;
  /**
   * Resolves when it listens on a loopback port; throws when it ends first, or after `timeoutMs`
   * (default 20,000).
   */
  listens(port: number, timeoutMs?: number): Promise<void>;
  /**
   * Resolves when it is gone, with its whole process group: `signal` (default SIGTERM), after 10 s
   * SIGKILL.
   */
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}

export interface Stage {
  /** Absolute; holds the logs, and whatever the test puts there. */
  readonly directory: string;
  /** Starts a program that stays, in a process group of its own. */
  start(command: string, args: readonly string[], options?: StartOptions): Promise<Program>;
  /** Runs a program to its end; throws with its last words unless it ends with 0. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Finished>;
  /**
   * Registers what must end with the stage, such as a server of the test's own. Last in, first out;
   * what fails, or takes longer than 30 s, keeps none of the others.
   */
  defer(end: () => Promise<unknown>): void;
  /** Name and log of every program that was started. */
  logs(): Promise<readonly { readonly name: string; readonly text: string }[]>;
  /**
   * Ends everything; the directory goes last. Safe to call twice, and while programs are being
   * started.
   */
  close(): Promise<void>;
}

const graceMs = 10_000;

/** What does not end by then is left, so that all else ends; a program takes `graceMs` at most. */
const defaultEndMs = 30_000;

/** An empty stage. `name` becomes part of the directory's name. */
export async function stage(name: string, endMs = defaultEndMs): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), `quayside-${name}-`));
  const programs: Program[] = [];
  const ends: (() => Promise<unknown>)[] = [];
  const ended = new AbortController();
  let closing: Promise<void> | undefined;
  const close = async () => {
    ended.abort(new Error('the stage is closed'));
    for (const end of ends.toReversed()) await endedWithin(end, endMs);
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  return {
    directory,
    start: async (command, args, options = {}) => {
      ended.signal.throwIfAborted();
      const program = await started(directory, command, args, options);
      programs.push(program);
      ends.push(() => program.stop());
      if (ended.signal.aborted) await program.stop('SIGKILL');
      ended.signal.throwIfAborted();
      return program;
    },
    run: (command, args, options = {}) =>
      finished(command, args, { ...options, signal: AbortSignal.any([ended.signal, ...signalOf(options)]) }),
    defer: (end) => void ends.push(end),
    logs: () =>
      Promise.all(
        [...new Map(programs.map((each) => [each.name, each])).values()].map(async (each) => ({
          name: each.name,
          text: await each.output(),
        })),
      ),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

async function endedWithin(end: () => Promise<unknown>, ms: number): Promise<void> {
  const over = new AbortController();
  const late = delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([late, end().catch(() => undefined)]);
  over.abort();
}

/** Below those that the kernel gives to connections and to listeners on port 0. */
const ownPorts = { first: 20_000, count: 12_000 } as const;
const mostTries = 100;
const given = new Set<number>();

/**
 * A TCP port of loopback that is free now. It is not one that the kernel gives away: another
 * program could have it before the one that is meant listens.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < mostTries; attempt += 1) {
    const port = ownPorts.first + randomInt(ownPorts.count);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error('no free port');
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The pause between two looks at what a program does. */
const lookMs = 20;

/**
 * Asks `condition` until it holds; throws `what` after as many looks as fit into `timeoutMs`
 * (default 10,000): on a machine that is busy with other things that takes longer, as what is
 * waited for does.
 */
export async function until(
  what: string,
  condition: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  for (let waitedMs = 0; !(await condition()); waitedMs += lookMs) {
    if (waitedMs >= timeoutMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await delay(lookMs);
  }
}

/**
 * The absolute path of a program on `PATH`, or in one of `more` directories; undefined when there
 * is none.
 */
export async function whereIs(name: string, more: readonly string[] = []): Promise<string | undefined> {
  for (const directory of [...(process.env['PATH'] ?? '').split(delimiter), ...more]) {
    const path = join(directory, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (directory !== '' && found) return path;
  }
  return undefined;
}

async function started(
  directory: string,
  command: string,
  args: readonly string[],
  options: StartOptions,
): Promise<Program> {
  const name = options.name ?? command.slice(command.lastIndexOf('/') + 1);
  const log = join(directory, `${name}.log`);
  const file = openSync(log, 'a');
  const child = spawn(command, args, {
    cwd: options.cwd ?? directory,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', file, file],
    detached: true,
  });
  closeSync(file);
  follow(child);
  const gone = exitOf(child);
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} has no process id`);
  const output = () => readFile(log, 'utf8');
  return {
    name,
    pid,
    output,
    said: async (text) => {
      for (;;) {
        // Before the look: what ends right after its last words has said them.
        const mayGoOn = isRunning(child);
        const found = await output();
        if (found.includes(text)) return found;
        if (!mayGoOn) throw new Error(`${name} ended without "${text}":\n${lastLines(found)}`);
        await delay(lookMs);
      }
    },
    listens: async (port, timeoutMs = 20_000) => {
      await until(
        `${name} on port ${port}`,
        async () => {
          if (!isRunning(child)) throw new Error(`${name} ended early:\n${lastLines(await output())}`);
          return isOpen(port);
        },
        timeoutMs,
      );
    },
    stop: (signal = 'SIGTERM') => stopped(child, pid, gone, signal),
  };
}

async function stopped(
  child: ChildProcess,
  pid: number,
  gone: Promise<Exit>,
  signal: NodeJS.Signals,
): Promise<Exit> {
  if (isRunning(child)) child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), graceMs);
  const exit = await gone;
  clearTimeout(late);
  killGroup(pid);
  return exit;
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: 127, signal: null }));
  });
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** The end of a log, for a message. */
export function lastLines(text: string, count = 15): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

function signalOf(options: RunOptions): readonly AbortSignal[] {
  return options.signal === undefined ? [] : [options.signal];
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
