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
import type { LogFormat } from '../pages/server.ts';
import { aborted } from './aborted.ts';
import { banner } from './banner.ts';
import { logOutput } from './log-output.ts';

interface Supervision {
  readonly config: Config;
  /** The text of the file that they come from, if there is one. */
  readonly settings: string | undefined;
  readonly count: number;
  readonly fork: Fork;
  readonly logFormat: LogFormat | undefined;
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
export async function supervised(
  { config, settings, count, fork, logFormat }: Supervision,
  io: Io,
): Promise<number> {
  const output = await logOutput(io, logFormat);
  const log = logger({ level: config.log.level, destination: output });
  const directory = await createSocketDirectory([io.env['TMPDIR'] ?? tmpdir(), config.spool.path]);
  const metrics = createJoinedMetrics();
  const primary = new Primary({
    fork,
    common: {
      count,
      settings,
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
      const unheard = io.onHangup(() => primary.hangUp());
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

function logged(log: Log, metrics: JoinedMetrics): PrimaryEvents {
  const words = log.child({ component: 'workers' });
  return {
    workerReady({ isSuccessor, ...event }) {
      words.info(event, isSuccessor ? 'a worker serves in place of one that ended' : 'a worker serves');
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
