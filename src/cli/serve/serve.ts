// Room `cli/serve`: quayside serve: reads, checks, starts, reloads and ends the service. In: a
// configuration file and signals. Out: a running service, a banner, complaints. Imports: every room
// below.

import { reloading } from '../../app/reload.ts';
import { watchFiles } from '../../base/state/watched-file.ts';
import { sleep, withTimeout } from '../../base/time/wait.ts';
import { located, parseConfigDocument } from '../../config/document.ts';
import { ConfigError, faultLine } from '../../config/faults.ts';
import type { Config, Environment } from '../../config/load.ts';
import { createBufferedOutput, type Log, logger } from '../../telemetry/log.ts';
import { type ContentFault, contentFaults } from '../deep/file-contents.ts';
import { parsed, UsageError } from '../flags/arguments.ts';
import type { Io, Output, Run } from '../flags/io.ts';
import { type Addresses, banner } from './banner.ts';
import { configFile, configFileText } from './config-file.ts';
import { listenComplaint } from './listen-complaint.ts';

/** A server that listens. */
export interface Server extends Addresses {
  /** Takes over what of the configuration can change while it runs. */
  reload(config: Config): void;
  /** These changed settings take effect only after a restart. */
  pending?(settings: readonly string[]): void;
  /** Drops what is remembered of people and their rights. */
  forget(): void;
  /** What of store and spool cannot be used now, each with its cause and what to do. */
  storeFaults?(): Promise<readonly string[]>;
  /** Says no to readiness probes from now on; every request is answered as before. */
  leave(): void;
  /** Stops accepting; resolves once every request is answered and nothing half-written is left. */
  close(): Promise<void>;
}

interface StartOptions {
  readonly log: Log;
  readonly env: Environment;
  /** Aborts when a start that has not finished should be given up. */
  readonly signal: AbortSignal;
}

export type Start = (config: Config, options: StartOptions) => Promise<Server>;

/**
 * `quayside serve`: resolves once the server has stopped, to 0, or to 1 if requests outlived the
 * grace time. The banner goes to standard error: log collectors read standard output.
 */
export function serving(start: Start): Run {
  return async (args, io) => {
    const { values, positionals } = parsed(args, { config: { type: 'string' } });
    const [word] = positionals;
    if (word !== undefined) throw new UsageError(`takes no argument ${word}; name a file by --config`);
    await refuseContents(await configFile(values.config, io), values.config, io);
    return served(start, { read: () => configFile(values.config, io), file: values.config }, io);
  };
}

/** Where a configuration comes from. */
interface ConfigSource {
  /** Reads all of it, now. Throws `ConfigError` with all that is wrong. */
  readonly read: () => Promise<Config>;
  /** Read again when this file changes. */
  readonly file: string | undefined;
}

const lookEveryMs = 10_000;

/** Serves by the source; resolves as `quayside serve`. Throws `ConfigError` before any start. */
export async function served(start: Start, source: ConfigSource, io: Io): Promise<number> {
  const config = await source.read();
  const output = logOutput(io.stdout);
  const log = logger({ level: config.log.level, destination: output });
  try {
    return await untilStopped(start, { ...source, started: config }, log, io);
  } finally {
    output.flush();
  }
}

/**
 * A file that is not what it must be would be found by the first request that needs it. One with
 * which a service can serve is told, and keeps no replica from its restart.
 */
async function refuseContents(
  config: Config,
  fileName: string | undefined,
  { stderr }: Pick<Io, 'stderr'>,
): Promise<void> {
  const faults = await contentFaults(config);
  if (faults.length === 0) return;
  const text = fileName === undefined ? '' : await configFileText(fileName);
  const document = parseConfigDocument(text);
  const name = fileName ?? 'config';
  for (const fault of located(faults.filter(isBearable), document))
    stderr.write(`quayside serve: warning: ${faultLine(name, fault)}\n`);
  const refusals = faults.filter((fault) => !isBearable(fault));
  if (refusals.length > 0) throw new ConfigError(name, located(refusals, document));
}

function isBearable({ isBearable }: ContentFault): boolean {
  return isBearable === true;
}

interface StartedSource extends ConfigSource {
  readonly started: Config;
}

async function untilStopped(start: Start, source: StartedSource, log: Log, io: Io): Promise<number> {
  const { started: config } = source;
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
  const words = log.child({ component: 'serve' });
  const unheard = reloaded(server, source, words, io);
  const degraded = await faultsInTime(server);
  for (const fault of degraded)
    words.error({ fault }, 'degraded: the store cannot be used; pulls pass through and are not stored');
  // Last: its readers may send a signal at once.
  io.stderr.write(banner(config, server, degraded));
  await aborted(io.signal);
  unheard();
  await left(server, config.shutdownDelayMs, words, io.signal);
  return stopped(server, config.shutdownGraceMs, words);
}

/** The start waits no longer for a store that does not answer, milliseconds. */
const storeCheckMs = 5_000;

function faultsInTime(server: Server): Promise<readonly string[]> {
  const late = () => [`the store has not answered within ${storeCheckMs / 1000} s`];
  return withTimeout(server.storeFaults?.() ?? Promise.resolve([]), storeCheckMs, late);
}

/** Reloads at SIGHUP, which also forgets remembered answers, and at a change. Returns its end. */
function reloaded(server: Server, { file, ...source }: StartedSource, log: Log, io: Io): () => void {
  const reload = reloading({
    ...source,
    apply: (config) => server.reload(config),
    pending: (settings) => server.pending?.(settings),
    log,
  });
  const watch = watchFiles(file === undefined ? [] : [file], { everyMs: lookEveryMs, changed: reload });
  const unheard = io.onHangup(() => {
    server.forget();
    void reload();
  });
  return () => {
    unheard();
    watch.close();
  };
}

/** Ctrl-C comes from a person at a terminal, before whom there is no balancer. */
async function left(server: Server, delayMs: number, log: Log, { reason }: AbortSignal): Promise<void> {
  server.leave();
  if (delayMs === 0 || !(reason instanceof Error) || reason.message !== 'SIGTERM') return;
  log.info({ delayMs }, 'shutting down: not ready any more; new connections are served for shutdownDelayMs');
  await sleep(delayMs);
}

async function stopped(server: Server, graceMs: number, log: Log): Promise<number> {
  log.info({ graceMs }, 'stopping: finishing requests under way within shutdownGraceMs');
  const closed = server.close().then(() => true);
  const isDone = await withTimeout(closed, graceMs, () => false);
  if (isDone) log.info('stopped');
  else log.warn({ graceMs }, 'stopped with requests unfinished: shutdownGraceMs is over');
  return isDone ? 0 : 1;
}

/** Log lines by the descriptor where there is one: they are many, and must not block. */
function logOutput(stdout: Output & { readonly fd?: number }) {
  return stdout.fd === undefined
    ? { write: (line: string) => stdout.write(line), flush: () => undefined }
    : createBufferedOutput(stdout.fd);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
