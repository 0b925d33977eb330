import { randomBytes } from 'node:crypto';
import { availableParallelism, tmpdir } from 'node:os';
import { secretText } from '../../auth/tokens/kept-keys.ts';
import type { Config } from '../../config/load.ts';
import { type Log, logger } from '../../telemetry/log.ts';
import { createJoinedMetrics, type JoinedMetrics } from '../../telemetry/metrics/joined.ts';
import type { Fork } from '../../workers/forks.ts';
import { Primary, type PrimaryEvents } from '../../workers/primary.ts';
import { createSocketDirectory } from '../../workers/socket-directory.ts';
import type { Io } from '../flags/io.ts';
import { aborted } from './aborted.ts';
import { banner } from './banner.ts';
import { configFileText } from './config-file.ts';
import { logOutput } from './log-output.ts';
import { reloaded, type StartedSource } from './reloaded.ts';

interface Supervision {
  readonly source: StartedSource;
  /** The text of its file, if there is one. */
  readonly settings: string | undefined;
  readonly count: number;
  readonly fork: Fork;
}

/** How long workers may take to end after the time that is set for that, milliseconds. */
const lateMs = 5_000;

/** How many processes serve: on each core that this one may use, where that is set. */
export function workersOf({ workers }: Config): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

/**
 * Serves by several workers, and serves nothing itself; resolves as `quayside serve`. The lines of
 * all workers go through this process, so that none is torn.
 */
export async function supervised({ source, settings, count, fork }: Supervision, io: Io): Promise<number> {
  const { started: config } = source;
  const output = await logOutput(io, source.logFormat);
  const log = logger({ level: config.log.level, destination: output });
  const directory = await createSocketDirectory([io.env['TMPDIR'] ?? tmpdir(), config.spool.path]);
  const metrics = createJoinedMetrics();
  const primary = new Primary({
    fork,
    common: {
      count,
      started: settings,
      directory: directory.path,
      key: secretText(),
      tokenSecret: secretText(),
      instance: randomBytes(9).toString('base64url'),
    },
    metrics,
    events: logged(log, metrics),
    output,
  });
  try {
    const begun = await primary.start(io.signal);
    if (begun !== undefined && !('address' in begun)) return begun.code ?? 1;
    if (begun !== undefined) {
      io.stderr.write(banner(config, { ...begun, workers: count }, begun.degraded));
      const unheard = reloaded(...reloadable(primary, source, log), io);
      await aborted(io.signal);
      unheard();
    }
    const { message } = io.signal.reason instanceof Error ? io.signal.reason : { message: 'SIGTERM' };
    return await primary.stop(message, config.shutdownDelayMs + config.shutdownGraceMs + lateMs);
  } finally {
    await directory.remove();
    output.flush();
  }
}

/** All workers take over what this process has read. */
function reloadable(primary: Primary, source: StartedSource, log: Log) {
  let text: string | undefined;
  const server = {
    async reload(config: Config): Promise<void> {
      await primary.reload(text);
      log.level = config.log.level;
    },
    pending: (settings: readonly string[], refused?: string) => primary.pending(settings, refused),
    forget: () => primary.hangUp(),
  };
  const read = async (): Promise<Config> => {
    text = source.file === undefined ? undefined : await configFileText(source.file);
    return source.read(text);
  };
  return [server, { ...source, read }, log.child({ component: 'serve' })] as const;
}

function logged(log: Log, metrics: JoinedMetrics): PrimaryEvents {
  const words = log.child({ component: 'workers' });
  return {
    workerReady({ isSuccessor, ...event }) {
      words.info(event, isSuccessor ? 'a worker serves in place of one that ended' : 'a worker serves');
    },
    workerLate(event) {
      words.error(
        event,
        'a worker does not serve waitedMs after its start; it is ended by force. It waits for what its lines before say, or for a file: look whether the directories of store, spool, settings and Secrets answer',
      );
    },
    workerHung(event) {
      words.error(event, 'a worker has not answered for 30 s; it is ended by force, and another one starts');
    },
    workerEnded(event) {
      metrics.crashed();
      words.error(
        event,
        'a worker ended and its connections were cut; the others serve, and another one starts after restartMs',
      );
    },
    dutyPassed(event) {
      words.info(event, 'this worker has the admin port from now on, and evicts, scrubs and mirrors');
    },
    servingChanged: (serving) => metrics.serving(serving),
  };
}
