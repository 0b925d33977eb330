// Room `cli/serve`: quayside serve: reads, checks, starts, reloads and ends the service. In: a
// configuration file and signals. Out: a running service, a banner, complaints. Imports: every room
// below.

import { inForce, type PreparedReload } from '../../app/reload.ts';
import { stampsOf } from '../../base/state/watched-file.ts';
import { defined } from '../../base/text/defined.ts';
import { sleep, withTimeout } from '../../base/time/wait.ts';
import { divided } from '../../config/divided.ts';
import { located, parseConfigDocument } from '../../config/document.ts';
import { ConfigError, faultLine } from '../../config/faults.ts';
import { type Config, type Environment, load } from '../../config/load.ts';
import { type Log, logger } from '../../telemetry/log.ts';
import { type WorkerPlace, workerPlace } from '../../workers/place.ts';
import { removeSocketDirectory } from '../../workers/socket-directory.ts';
import { type ContentFault, contentFaults } from '../deep/file-contents.ts';
import { refuseWords } from '../flags/arguments.ts';
import { parseFlags } from '../flags/flag-table.ts';
import type { Io, Run } from '../flags/io.ts';
import { serveFlags } from '../pages/server.ts';
import { aborted } from './aborted.ts';
import { type Addresses, banner } from './banner.ts';
import { configFile, configFileText } from './config-file.ts';
import { listenComplaint } from './listen-complaint.ts';
import { logOutput } from './log-output.ts';
import { type ConfigSource, reloaded, type StartedSource } from './reloaded.ts';
import { supervised, workersOf } from './supervised.ts';

/** A server that listens. */
export interface Server extends Addresses {
  /** Makes all of a configuration, which is in force once it is taken. Rejects when it cannot. */
  prepare(config: Config): Promise<PreparedReload>;
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
    const { config: file, 'log-format': logFormat } = values;
    refuseWords(words, '; name a file by --config');
    const read = (settings?: string) => configFile(file, io, settings);
    const parse = async (settings = ''): Promise<Config> =>
      load(settings, io.env, defined({ fileName: file }));
    if (!isWorker(io)) await refuseContents(await read(), file, io);
    return served(start, { read, parse, file, logFormat }, io);
  };
}

function isWorker({ workers }: Io): boolean {
  return workers !== undefined && 'channel' in workers;
}

/**
 * Serves by the source, in one process or in several; resolves as `quayside serve`. Throws
 * `ConfigError` before any start.
 */
export async function served(start: Start, source: ConfigSource, io: Io): Promise<number> {
  const { workers } = io;
  if (workers !== undefined && 'channel' in workers) {
    const place = await workerPlace(workers.channel);
    workers.channel.onLost(() => removeSocketDirectory(place.welcome.directory));
    return servedHere({ start, place, ...(await workersConfig(source, place)) }, amongOthers(io, place));
  }
  const since = stampsOf(source.file === undefined ? [] : [source.file]);
  const settings = source.file === undefined ? undefined : await configFileText(source.file);
  const config = await source.read(settings);
  const started: StartedSource = { ...source, started: config, since };
  const count = workersOf(config);
  if (workers === undefined || count === 1) return servedHere({ start, source: started, config }, io);
  return supervised({ source: started, settings, count, fork: workers.createFork() }, io);
}

/**
 * The part of the configuration that is a worker's: what was started with, and of what is in force
 * now all that could be taken over.
 */
async function workersConfig(
  source: ConfigSource,
  { welcome: { started, settings, count } }: WorkerPlace,
): Promise<Pick<OwnServing, 'config' | 'source'>> {
  const parse = async (text: string | undefined): Promise<Config> => divided(await source.parse(text), count);
  const first = await parse(started);
  const config = settings === started ? first : inForce(first, await parse(settings));
  return { config, source: { ...source, parse, started: first, since: Promise.resolve('') } };
}

/** A worker stops, and forgets, also when the primary says so. */
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
  /** The first one in force. */
  readonly config: Config;
  readonly source: StartedSource;
  /** Default: this process is alone. */
  readonly place?: WorkerPlace;
}

async function servedHere(serving: OwnServing, io: Io): Promise<number> {
  const { config, source, place } = serving;
  // The lines of workers become what people read once they are together.
  const output = await logOutput(io, place === undefined ? source.logFormat : 'json');
  const { level } = config.log;
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

async function untilStopped(serving: OwnServing, log: Log, io: Io): Promise<number> {
  const { start, config, place } = serving;
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
  const unheard = following(server, serving, words, io);
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

/** Takes over settings that change, by itself or as the primary says. Returns its end. */
function following(server: Server, { source, place }: OwnServing, log: Log, io: Io): () => void {
  const pending = (settings: readonly string[], refused?: string): void =>
    server.pending?.(settings, refused);
  const forget = (): void => server.forget();
  if (place === undefined) {
    const reload = async (config: Config): Promise<void> => (await server.prepare(config)).take();
    return reloaded({ reload, pending, forget }, source, log, io);
  }
  const { started, parse } = source;
  place.reloadBy({
    prepare: async (settings) => server.prepare(inForce(started, await parse(settings))),
    pending,
  });
  return io.onHangup(forget);
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
