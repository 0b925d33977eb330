// Room `cli/serve`: quayside serve: reads, checks, starts, reloads and ends the service. In: a
// configuration file and signals. Out: a running service, a banner, complaints. Imports: every room
// below.

import { reloading } from '../../app/reload.ts';
import { watchFiles } from '../../base/state/watched-file.ts';
import { sleep, withTimeout } from '../../base/time/wait.ts';
import { divided } from '../../config/divided.ts';
import { located, parseConfigDocument } from '../../config/document.ts';
import { ConfigError, faultLine } from '../../config/faults.ts';
import type { Config, Environment } from '../../config/load.ts';
import { type Log, logger } from '../../telemetry/log.ts';
import { type WorkerPlace, workerPlace } from '../../workers/place.ts';
import { type ContentFault, contentFaults } from '../deep/file-contents.ts';
import { refuseWords } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Io, Run } from '../flags/io.ts';
import { type LogFormat, serveFlags } from '../pages/server.ts';
import { aborted } from './aborted.ts';
import { type Addresses, banner } from './banner.ts';
import { configFile, configFileText } from './config-file.ts';
import { listenComplaint } from './listen-complaint.ts';
import { logOutput } from './log-output.ts';
import { supervised, workersOf } from './supervised.ts';

/** A server that listens. */
export interface Server extends Addresses {
  /** Takes over a configuration as a whole. Rejects, and changes nothing, when it cannot. */
  reload(config: Config): Promise<void> | void;
  /** These changed settings take effect only after a restart; or why the file was refused. */
  pending?(settings: readonly string[], refused?: string): void;
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
  /** The place of this process among several. Default: it is alone. */
  readonly workers?: WorkerPlace | undefined;
}

export type Start = (config: Config, options: StartOptions) => Promise<Server>;

/**
 * `quayside serve`: resolves once the server has stopped, to 0, or to 1 if requests outlived the
 * grace time. The banner goes to standard error: log collectors read standard output.
 */
export function serving(start: Start): Run {
  return async (args, io) => {
    const { values, words } = parseFlags(serveFlags, args);
    const logFormat = values['log-format'];
    refuseWords(words, '; name a file by --config');
    const read = (settings?: string) => configFile(values.config, io, settings);
    if (!isWorker(io)) await refuseContents(await read(), values.config, io);
    return served(start, { read, file: values.config, logFormat }, io);
  };
}

function isWorker({ workers }: Io): boolean {
  return workers !== undefined && 'channel' in workers;
}

/** Where a configuration comes from. */
export interface ConfigSource {
  /**
   * Reads all of it, now, or of this text in place of that of the file. Throws `ConfigError` with
   * all that is wrong.
   */
  readonly read: (settings?: string) => Promise<Config>;
  /** Read again when this file changes. */
  readonly file: string | undefined;
  /** How the log is written. Default `json`. */
  readonly logFormat?: LogFormat;
}

const lookEveryMs = 10_000;

/**
 * Serves by the source, in one process or in several; resolves as `quayside serve`. Throws
 * `ConfigError` before any start.
 */
export async function served(start: Start, source: ConfigSource, io: Io): Promise<number> {
  const { workers } = io;
  if (workers !== undefined && 'channel' in workers) {
    const place = await workerPlace(workers.channel);
    const { settings, count } = place.welcome;
    const read = async (text?: string): Promise<Config> => divided(await source.read(text), count);
    const started = await read(settings);
    return servedHere({ start, source: { ...source, read, started }, place }, amongOthers(io, place));
  }
  const settings = source.file === undefined ? undefined : await configFileText(source.file);
  const config = await source.read(settings);
  const count = workersOf(config);
  if (workers === undefined || count === 1)
    return servedHere({ start, source: { ...source, started: config } }, io);
  return supervised({ config, settings, count, fork: workers.createFork(), logFormat: source.logFormat }, io);
}

/** A worker stops and reloads also when the primary says so. */
function amongOthers(io: Io, place: WorkerPlace): Io {
  return {
    ...io,
    signal: AbortSignal.any([io.signal, place.stopping]),
    onHangup(heard) {
      const ends = [io.onHangup(heard), place.onHangup(heard)];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

interface OwnServing {
  readonly start: Start;
  readonly source: StartedSource;
  /** Default: this process is alone. */
  readonly place?: WorkerPlace;
}

async function servedHere(serving: OwnServing, io: Io): Promise<number> {
  const { source, place } = serving;
  // The lines of workers become what people read once they are together.
  const output = await logOutput(io, place === undefined ? source.logFormat : 'json');
  const { level } = source.started.log;
  const log = logger({ level, destination: output, worker: place?.welcome.number });
  try {
    return await untilStopped(serving, log, io);
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

async function untilStopped({ start, source, place }: OwnServing, log: Log, io: Io): Promise<number> {
  const { started: config } = source;
  let server: Server;
  try {
    server = await start(config, { log, env: io.env, signal: io.signal, workers: place });
  } catch (error) {
    if (io.signal.aborted) return 0;
    const complaint = listenComplaint(error, config);
    if (complaint === undefined) throw error;
    io.stderr.write(`quayside serve: ${complaint}\n`);
    return 1;
  }
  const words = log.child({ component: 'serve' });
  const unheard = reloaded(server, source, words, io, place?.welcome.isSuccessor === true);
  const degraded = place?.welcome.isOnDuty === false ? [] : await faultsInTime(server);
  for (const fault of degraded)
    words.error({ fault }, 'degraded: the store cannot be used; pulls pass through and are not stored');
  // Last: its readers may send a signal at once.
  if (place === undefined) io.stderr.write(banner(config, server, degraded));
  else place.ready({ ...addressesOf(server), degraded });
  await aborted(io.signal);
  unheard();
  await left(server, config.shutdownDelayMs, words, io.signal);
  return stopped(server, config.shutdownGraceMs, words);
}

function addressesOf({ address, adminAddress, storeFault }: Server): Addresses {
  return { address, adminAddress, storeFault };
}

/** The start waits no longer for a store that does not answer, milliseconds. */
const storeCheckMs = 5_000;

function faultsInTime(server: Server): Promise<readonly string[]> {
  const late = () => [`the store has not answered within ${storeCheckMs / 1000} s`];
  return withTimeout(server.storeFaults?.() ?? Promise.resolve([]), storeCheckMs, late);
}

/**
 * Reloads at SIGHUP, which also forgets remembered answers, and at a change. Returns its end.
 * `isLate`: the settings may have changed before the start.
 */
function reloaded(
  server: Server,
  { file, ...source }: StartedSource,
  log: Log,
  io: Io,
  isLate: boolean,
): () => void {
  const reload = reloading({
    ...source,
    apply: (config) => server.reload(config),
    pending: (settings, refused) => server.pending?.(settings, refused),
    log,
  });
  const watch = watchFiles(file === undefined ? [] : [file], { everyMs: lookEveryMs, changed: reload });
  if (isLate) void reload();
  const unheard = io.onHangup(() => {
    server.forget();
    void reload();
  });
  return () => {
    unheard();
    watch.close();
    reload.close();
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
