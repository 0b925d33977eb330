/** The program: the only file that touches the process. Commands see it through `Io`. */

import { text } from 'node:stream/consumers';
import { run } from './cli/commands/run.ts';
import { stopCode, type WorkerWays } from './cli/flags/io.ts';
import { createFork, primaryChannel } from './workers/forks.ts';

/** Ctrl-C may arrive twice at once, from the terminal and npm; a later one is a second request. */
const sameKeyMs = 500;

/** Aborts at the first request to end; a second one ends the process there and then. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let firstAt: number | undefined;
  const stop = (signal: NodeJS.Signals) => {
    firstAt ??= performance.now();
    if (!controller.signal.aborted) controller.abort(new Error(signal));
    else if (performance.now() - firstAt > sameKeyMs) process.exit(stopCode(controller.signal.reason));
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  return controller.signal;
}

/** On a terminal SIGHUP means that it was closed: Node exits by default. Elsewhere it reloads. */
function onHangup(heard: () => void): () => void {
  if (process.stdin.isTTY) return () => undefined;
  process.on('SIGHUP', heard);
  return () => process.off('SIGHUP', heard);
}

/**
 * Started by bin/quayside.js on another Node, or as a worker, this process exits when that one is
 * killed. A worker listens and learns to stop by the channel, so that it must keep it running.
 */
function leaveWithParent(isWorker: boolean): void {
  process.once('disconnect', () => process.exit(1));
  if (!isWorker) process.channel?.unref();
}

const channel = primaryChannel();
leaveWithParent(channel !== undefined);
const workers: WorkerWays = channel === undefined ? { createFork } : { channel };
const { argv, env, stdin, stdout, stderr } = process;
const input = (): Promise<string> => text(stdin);
const signal = stopSignal();
process.exitCode = await run(argv.slice(2), { stdout, stderr, input, env, signal, onHangup, workers });
channel?.unref();
// What is still open has had its time. Does not keep a process that can end by itself.
setTimeout(() => process.exit(), 1000).unref();
