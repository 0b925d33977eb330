/** The program: the only file that touches the process. Commands see it through `Io`. */

import { text } from 'node:stream/consumers';
import { run } from './cli/commands/run.ts';
import { stopCode } from './cli/flags/io.ts';

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

/** Started by bin/quayside.js on another Node, this process exits when that one is killed. */
function leaveWithParent(): void {
  process.once('disconnect', () => process.exit(1));
  process.channel?.unref();
}

leaveWithParent();
const { argv, env, stdin, stdout, stderr } = process;
const input = (): Promise<string> => text(stdin);
process.exitCode = await run(argv.slice(2), { stdout, stderr, input, env, signal: stopSignal(), onHangup });
// What is still open has had its time. Does not keep a process that can end by itself.
setTimeout(() => process.exit(), 1000).unref();
