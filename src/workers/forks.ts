import cluster, { type Worker } from 'node:cluster';
import { Readable } from 'node:stream';
import { isToPrimary, isToWorker, type ToPrimary, type ToWorker } from './messages.ts';

/** A process that the primary started. */
export interface Forked {
  readonly pid: number;
  /** What it writes to standard output. */
  readonly output: Readable;
  /** A message to a process that is gone is lost. */
  send(message: ToWorker): void;
  kill(signal: NodeJS.Signals): void;
  onMessage(heard: (message: ToPrimary) => void): void;
  /** Called once, when the process is gone and its output has ended. */
  onExit(gone: (end: WorkerEnd) => void): void;
}

/** How a process ended: by a code, or by a signal. */
export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Starts this program once more, with the same command line, as a worker. */
export type Fork = () => Forked;

/** The worker's end of the channel to the primary. */
export interface PrimaryChannel {
  send(message: ToPrimary): void;
  onMessage(heard: (message: ToWorker) => void): void;
  /** Called when the primary has died; this process ends as soon as it returns. */
  onLost(lost: () => void): void;
  /** Keeps this process running no more. */
  unref(): void;
}

/**
 * Workers accept on one shared socket (SCHED_NONE): where the primary deals connections in turn,
 * those that it hands to a worker that has just died are never closed, and hang. Structured clones
 * keep numbers that JSON has no word for.
 */
export function createFork(): Fork {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ serialization: 'advanced', stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  return () => {
    try {
      return forkedOf(cluster.fork());
    } catch {
      // No memory, for one. The primary must not end for it: it starts another one later.
      return stillborn();
    }
  };
}

function forkedOf(worker: Worker): Forked {
  const { process: child } = worker;
  const { pid, stdout } = child;
  // Of the start as of the channel, which may break before the end of the process is known.
  worker.on('error', () => undefined);
  if (pid === undefined || stdout === null) return stillborn();
  return {
    pid,
    output: stdout,
    send(message) {
      if (worker.isConnected()) worker.send(message, () => undefined);
    },
    kill: (signal) => void child.kill(signal),
    onMessage: (heard) =>
      void worker.on('message', (message: unknown) => {
        if (isToPrimary(message)) heard(message);
      }),
    onExit: (gone) =>
      void child.once('close', (code: number | null, signal: string | null) => gone({ code, signal })),
  };
}

/** The system has no process for us, or no descriptor: as one that ended at once. */
function stillborn(): Forked {
  return {
    pid: 0,
    output: Readable.from([]),
    send: () => undefined,
    kill: () => undefined,
    onMessage: () => undefined,
    onExit: (gone) => void setImmediate(() => gone({ code: null, signal: null })),
  };
}

/** Undefined in a process that is no worker. */
export function primaryChannel(): PrimaryChannel | undefined {
  const { worker } = cluster;
  if (!cluster.isWorker || worker === undefined) return undefined;
  worker.on('error', () => undefined);
  return {
    send(message) {
      if (worker.isConnected()) worker.send(message, () => undefined);
    },
    onMessage: (heard) =>
      void worker.on('message', (message: unknown) => {
        if (isToWorker(message)) heard(message);
      }),
    onLost: (lost) => void worker.once('disconnect', lost),
    unref: () => process.channel?.unref(),
  };
}
