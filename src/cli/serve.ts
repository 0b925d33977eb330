import type { Config, Environment } from '../config.ts';
import { bufferedOutput, type Log, logger } from '../log.ts';
import { parsed, UsageError } from './arguments.ts';
import { type Addresses, banner } from './banner.ts';
import { configFile } from './config-file.ts';
import type { Io, Output, Run } from './io.ts';
import { listenComplaint } from './listen-complaint.ts';

/** A server that listens. */
export interface Server extends Addresses {
  /** Stops accepting; resolves once every request under way is answered and nothing half-written is left. */
  close(): Promise<void>;
}

export interface StartOptions {
  readonly log: Log;
  readonly env: Environment;
  /** Aborts when a start that has not finished should be given up. */
  readonly signal: AbortSignal;
}

export type Start = (config: Config, options: StartOptions) => Promise<Server>;

/**
 * `quayside serve`: resolves once the server has stopped, to 0, or to 1 when requests outlived the grace time.
 * The banner goes to standard error, so that standard output holds log lines only, for whoever collects them.
 */
export function serving(start: Start): Run {
  return async (args, io) => {
    const { values, positionals } = parsed(args, { config: { type: 'string' } });
    const [word] = positionals;
    if (word !== undefined) throw new UsageError(`takes no ${word}; a file goes behind --config`);
    return served(start, () => configFile(values.config, io), io);
  };
}

/** Serves what `configuration` says; resolves as `quayside serve` does. Throws `ConfigError` before anything is started. */
export async function served(start: Start, configuration: () => Promise<Config>, io: Io): Promise<number> {
  const config = await configuration();
  const output = logOutput(io.stdout);
  const log = logger({ level: config.log.level, destination: output });
  try {
    return await untilStopped(start, config, log, io);
  } finally {
    output.flush();
  }
}

async function untilStopped(start: Start, config: Config, log: Log, io: Io): Promise<number> {
  let server: Server;
  try {
    server = await start(config, { log, env: io.env, signal: io.signal });
  } catch (error) {
    if (io.signal.aborted) return 0;
    const complaint = listenComplaint(error, config);
    if (complaint === undefined) throw error;
    io.stderr.write(`quayside serve: ${complaint}\n`);
    return 1;
  }
  io.stderr.write(banner(config, server));
  await aborted(io.signal);
  return stopped(server, config.shutdownGraceMs, log.child({ component: 'serve' }));
}

async function stopped(server: Server, graceMs: number, log: Log): Promise<number> {
  log.info({ graceMs }, 'stopping: requests under way are finished');
  const isDone = await within(server.close(), graceMs);
  if (isDone) log.info('stopped');
  else log.warn({ graceMs }, 'stopped before every request was finished');
  return isDone ? 0 : 1;
}

/** True when `work` is done in time; false when it is not, and it goes on without us. */
async function within(work: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(resolve, ms, false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Log lines by the descriptor where there is one: they are many, and must not hold up who writes them. */
function logOutput(stdout: Output & { readonly fd?: number }) {
  return stdout.fd === undefined
    ? { write: (line: string) => stdout.write(line), flush: () => undefined }
    : bufferedOutput(stdout.fd);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
