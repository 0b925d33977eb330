// Room `app/mirror`: makes the mirror: its queue, lease, endpoints, rules and jobs. In: the parts
// that the service made. Out: the mirror of a process, and what copies are made with. Imports:
// every room below.

import { closeInTurn } from '../../base/flow/close-all.ts';
import { defined } from '../../base/text/defined.ts';
import { hasSlept } from '../../base/time/wait.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { MirrorSettings } from '../../config/config.ts';
import type { Config, Environment } from '../../config/load.ts';
import { isWanted } from '../../mirror/ci/wanted.ts';
import { filledFromSource } from '../../mirror/fallback/fallback.ts';
import { pastCache } from '../../mirror/fallback/past-cache.ts';
import { mayFill } from '../../mirror/fallback/source-rules.ts';
import type { MissOrigin } from '../../mirror/fallback/sources.ts';
import { createImageInspector } from '../../mirror/images/image-inspector.ts';
import type { LogMirror } from '../../mirror/log.ts';
import { createHoldDesk, type HoldDesk } from '../../mirror/loop/hold-desk.ts';
import { hourly } from '../../mirror/loop/jobs.ts';
import { mirrorLoop } from '../../mirror/loop/loop.ts';
import { createQueueAdmin, type QueueAdmin } from '../../mirror/loop/queue-admin.ts';
import { createHolds } from '../../mirror/queue/holds.ts';
import { createQueue, type Queue, type TaskSink } from '../../mirror/queue/queue.ts';
import type { MirrorTask, QueuedTask } from '../../mirror/queue/task.ts';
import { createTaskRecords, offerTask } from '../../mirror/queue/task-records.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import { mirrorLog, mirrorWriter } from '../../predecessors/outputs/mirror-log.ts';
import { createMemoryStore } from '../../store/memory-store.ts';
import type { Log } from '../../telemetry/log.ts';
import type { MeteredEvents, Metrics } from '../../telemetry/metrics/metrics.ts';
import type { CredentialHelpers } from '../../upstream/helpers/helpers.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { createClusterClients } from './cluster-clients.ts';
import { copying } from './copying.ts';
import { deskQueue } from './desk-queue.ts';
import { createRegistryEndpoints } from './endpoints.ts';
import { configuredRules, type Rules } from './rules.ts';
import { type MirrorActivity, MirrorWatch } from './state.ts';
import { configuredStreams, watching } from './streams.ts';
import { configuredTurn, type Turn } from './turn.ts';

export interface MirrorParts {
  readonly settings: MirrorSettings;
  readonly config: Config;
  readonly cache: CacheContext;
  readonly registry: (name: string) => CachedRegistry | undefined;
  readonly events: MeteredEvents;
  readonly meters: Pick<Metrics, 'mirror'>;
  readonly log: Log;
  readonly env: Environment;
  readonly helpers: CredentialHelpers;
  readonly rules: Rules;
  /** This process in the fleet. Default: there is none. */
  readonly member?: string | undefined;
  /** The turn to mirror was given back. */
  readonly released: () => void;
}

/** Who copies. */
interface MirrorLead {
  readonly isHere: boolean;
  /** Else the member of the fleet that does, where that is known. */
  readonly member: string | undefined;
}

/** The mirror of a process: one of those that share a store works, the others pass on misses. */
export interface Mirror {
  /** The upstream, answering from its source what it lacks, where the settings say so. */
  filled(upstream: Upstream): Upstream;
  readonly desk: QueueAdmin;
  readonly holds: HoldDesk;
  readonly serving: (path: string) => void;
  state(): MirrorActivity;
  /** The task for a destination, where this process copies. */
  task(destination: string): QueuedTask | undefined;
  lead(): MirrorLead;
  /** Another process gave back its turn: this one may have it. */
  look(): void;
  /** Waits for its turn, and works. */
  start(): void;
  /** Lets the next one work; misses are served until `close`. */
  leave(): void;
  /** Gives up what is being copied, keeps what is left to do, and lets the next one work. */
  close(): Promise<void>;
}

/** How often what other processes offered is taken in, milliseconds. */
const collectEveryMs = 2_000;

/** What the mirror's configuration says, as its file changes. Rejects with `ConfigError`. */
export function followedRules(settings: MirrorSettings, log: Log): Promise<Rules> {
  return configuredRules(settings, mirrorLog(mirrorWriter(log)));
}

/** Makes the mirror of the settings. Rejects, in words for the operator, on faulty settings. */
export async function configuredMirror(parts: MirrorParts): Promise<Mirror> {
  const { settings, config, cache, events, log, rules } = parts;
  // A process that only inspects must not end waiting tasks nor block the working process.
  const { records } = settings.dryRun ? createMemoryStore() : cache.medium;
  const write = mirrorWriter(log);
  const tellAs = (subcomponent?: string): LogMirror => mirrorLog(write, subcomponent);
  const tell = tellAs();
  const newQueue = (): Queue =>
    createQueue({
      records: createTaskRecords({ records, storeFailed: (event) => tell('storeFailed', event) }),
      places: settings.images,
      depthChanged: (waiting) => events.mirrorQueueChanged({ waiting }),
    });
  // An operator's order is for the working process, whichever process takes it.
  const holds = createHolds({ records: cache.medium.records });
  const ends = createRegistryEndpoints(parts);
  const stillWanted = (task: MirrorTask): boolean => {
    const current = rules.current();
    return current === undefined || isWanted(current, task, tell);
  };
  const clients = createClusterClients(config.clusters);
  const streams = await configuredStreams(parts, clients);
  const watch = new MirrorWatch();
  const turn = await configuredTurn({ ...parts, watch }, clients);
  const stopping = new AbortController();
  /** The upstreams that rules fill, by name, as sources of others. */
  const unfilled = new Map<string, MissOrigin>();
  /** Ours, while it is our turn. */
  let current: Queue | undefined;
  let working: Promise<void> = Promise.resolve();
  let isStarted = false;

  /** A task for the working process: in memory for this one, through the store for another. */
  const sink: TaskSink = {
    async put(task) {
      if (current !== undefined) return current.put(task);
      return offerTask(records, task).then(
        () => true,
        (error: unknown) => {
          tell('storeFailed', { operation: 'write', error });
          return false;
        },
      );
    },
  };

  async function work(signal: AbortSignal): Promise<void> {
    const lines = newQueue();
    await lines.load(signal);
    current = lines;
    let handing: Promise<void> | undefined;
    // The next leader has read the store by then: later tasks become offers, as do unfinished
    // writes.
    const over = (): void => {
      current = undefined;
      if (signal.aborted && !stopping.signal.aborted) handing = lines.handOver();
    };
    signal.addEventListener('abort', over, { once: true });
    const copy = copying(ends, settings, signal, { holds, tell });
    const jobs = { ends, look, queue: lines, tell: tellAs };
    try {
      await Promise.all([
        mirrorLoop(
          { queue: lines, look, copy, isWanted: stillWanted, holdOf: holds.find, tell, events },
          signal,
        ),
        rules.atTick &&
          hourly({ ...jobs, changed: rules.changed, config: rules.atTick, ...defined({ streams }) }, signal),
        streams && watching(streams, parts, { ...jobs, rules }).run(signal),
        collecting(lines, tell, signal),
      ]);
    } finally {
      over();
      signal.removeEventListener('abort', over);
      await handing;
      await lines.close();
      events.mirrorQueueChanged({ waiting: 0 });
    }
  }

  function leave(): void {
    stopping.abort(new Error('the service is shutting down'));
  }

  const look = createImageInspector((registry) => ends.source(registry));
  const shown = deskQueue(sink, () => current);
  return {
    filled(upstream) {
      const { name } = upstream;
      const { sources, onMiss, waitMs, absentMs, questionsPerSecond } = settings.misses;
      if (!mayFill(sources, name)) return upstream;
      unfilled.set(name, pastCache(upstream));
      return filledFromSource(upstream, {
        places: rules.places,
        origin: (registry) => unfilled.get(registry) ?? parts.registry(registry),
        membership: cache.membership,
        tags: cache.tags,
        kept: (repository, digest) => keptManifest(parts.registry(name), repository, digest),
        isStored: async (digest) => (await cache.store.stat(digest)) !== undefined,
        queue: sink,
        events,
        onMiss: settings.dryRun ? 'off' : onMiss,
        waitMs,
        absentMs,
        questionsPerSecond,
      });
    },
    desk: createQueueAdmin(shown, tell, { readings: rules.readings }),
    holds: createHoldDesk({ holds, queue: shown, tell }),
    serving: (path) => tell('serving', { path }),
    state: () => watch.state(current),
    task: (destination) => shown.list({ destination })[Symbol.iterator]().next().value,
    lead: () => ({ isHere: settings.dryRun || current !== undefined, member: watch.leader }),
    look: turn.look,
    leave,
    start() {
      isStarted = true;
      parts.meters.mirror({
        counts: () => watch.state(current).tasks,
        holds: async () => (await holds.list()).length,
      });
      working = working.then(() => turns(turn, work, tell, stopping.signal));
    },
    async close() {
      leave();
      await closeInTurn([
        () => rules.close(),
        () => working,
        () => isStarted && parts.meters.mirror(undefined),
        () => ends.close(),
        () => clients.close(),
      ]);
    },
  };
}

/** The registry is there once it answers. */
function keptManifest(registry: CachedRegistry | undefined, repository: Repository, digest: Digest) {
  if (registry === undefined) throw new RegistryError('UNAVAILABLE', 'the service is not started');
  return registry.manifests.resolve(repository, { digest });
}

/** One turn after the other until aborted: a lease may be lost and come back. Never rejects. */
async function turns(
  turn: Turn,
  work: (signal: AbortSignal) => Promise<void>,
  tell: LogMirror,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await turn.during(work, signal);
    } catch (error) {
      if (!signal.aborted) tell('storeFailed', { operation: 'read', error });
    }
    await hasSlept(collectEveryMs, signal);
  }
}

async function collecting(lines: Queue, tell: LogMirror, signal: AbortSignal): Promise<void> {
  do {
    await lines.collect(signal).catch((error: unknown) => {
      if (!signal.aborted) tell('storeFailed', { operation: 'read', error });
    });
  } while (await hasSlept(collectEveryMs, signal));
}
