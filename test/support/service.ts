import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { createService, type Service } from '../../src/app/app.ts';
import { inForce } from '../../src/app/reload.ts';
import { type Clock, systemClock } from '../../src/base/time/wait.ts';
import { load } from '../../src/config/load.ts';
import { logger } from '../../src/telemetry/log.ts';
import { createManualClock } from './manual-clock.ts';
import { type RegistryDouble, registryDouble } from './registry-double.ts';

/** One line of the service's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** The whole service over one misbehaving registry, as `quay.io`. */
export interface ServiceRig {
  readonly double: RegistryDouble;
  readonly service: Service;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Every log line so far. */
  readonly log: readonly LogLine[];
  /** The log as text, for what must not be in it. */
  logText(): string;
  /** The metrics as text. */
  metrics(): Promise<string>;
  /** What each part is like, more than a minute after the start: then upstreams are asked. */
  look(): ReturnType<Service['look']>;
  /** Takes over other settings, merged into those that it was started with. */
  reload(changes: Pick<ServiceRigOptions, 'settings' | 'upstream'>): Promise<void>;
  /** Stops the service before its test ends. */
  stop(): Promise<void>;
}

export interface ServiceRigOptions {
  /**
   * Settings over the rig's own, as the configuration file has them; `upstream` is merged into that
   * of `quay.io`.
   */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly upstream?: Readonly<Record<string, unknown>>;
  /** Where the store is; a fresh directory without. */
  readonly directory?: string;
  /** Clients wait for manifests and blobs by it. Default: the system's. */
  readonly clock?: Clock;
  /** The environment of the service. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Another registry to stand for `quay.io`; not closed. */
  readonly double?: RegistryDouble;
}

/** Starts the service; both end with the test. */
export async function serviceRig(t: Test, options: ServiceRigOptions = {}): Promise<ServiceRig> {
  const double = options.double ?? (await registryDouble());
  const lines: string[] = [];
  const log = logger({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'quayside-test-')));
  const settingsOf = ({ upstream, settings: own }: Pick<ServiceRigOptions, 'settings' | 'upstream'>) => ({
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    store: { filesystem: { path: join(directory, 'store') } },
    shutdownGraceMs: '5s',
    upstreams: {
      'quay.io': {
        url: double.url,
        allowPrivateAddresses: true,
        retries: 1,
        // Of no test but those that set them: a busy machine is no slow upstream.
        firstByteTimeoutMs: '30s',
        progressTimeoutMs: '30s',
        breaker: { failures: 3, openMs: '200ms' },
        ...upstream,
      },
    },
    ...own,
  });
  const started = load(stringify(settingsOf(options)), {});
  const { clock: given = systemClock } = options;
  let aheadMs = 0;
  /** Whose timers run: none of those that a look sets, which a busy machine may make long. */
  let timers: Clock = given;
  const clock: Clock = {
    now: () => given.now() + aheadMs,
    setTimeout: (callback, ms) => timers.setTimeout(callback, ms),
  };
  const service = await createService(started, { log, env: options.env ?? {}, clock });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= service.close();
    return stopped;
  };
  t.teardown(async () => {
    await stop();
    if (options.double === undefined) await double.close();
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    double,
    service,
    url: `http://${service.address}`,
    get log() {
      return lines.map((line) => JSON.parse(line) as LogLine);
    },
    logText: () => lines.join(''),
    metrics: async () => (await fetch(`http://${service.adminAddress}/metrics`)).text(),
    look() {
      aheadMs = minuteMs + 1;
      timers = createManualClock();
      try {
        return service.look();
      } finally {
        timers = given;
      }
    },
    async reload({ settings, upstream }) {
      const changed = settingsOf({
        settings: { ...options.settings, ...settings },
        upstream: { ...options.upstream, ...upstream },
      });
      (await service.prepare(inForce(started, load(stringify(changed), {})))).take();
    },
    stop,
  };
}

const minuteMs = 60_000;
