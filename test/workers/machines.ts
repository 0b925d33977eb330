import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { createService, type Service } from '../../src/app/app.ts';
import { inForce } from '../../src/app/reload.ts';
import { load } from '../../src/config/load.ts';
import { logger } from '../../src/telemetry/log.ts';
import type { ToWorker } from '../../src/workers/messages.ts';
import { type WorkerPlace, workerPlace } from '../../src/workers/place.ts';
import { freePort } from '../support/program.ts';
import { type RegistryDouble, registryDouble } from '../support/registry-double.ts';

/** One worker: a whole service in the process of the test, with a pull port of its own. */
export interface RigWorker {
  readonly service: Service;
  readonly url: string;
  /** The folder of its machine's store. */
  readonly store: string;
  /** What it has logged. */
  logText(): string;
  /** As its primary would. */
  tell(message: ToWorker): void;
  /** Takes over other settings, over those that it was started with. */
  reload(changes: Readonly<Record<string, unknown>>): Promise<void>;
}

interface MachinesOptions {
  /** Default 1: no fleet. */
  readonly machines?: number;
  readonly workers?: number;
  /** The worker that does what is done once, from 1. Default 1. */
  readonly onDuty?: number;
  /** More settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * Machines with a filesystem store each, and workers on them. Other replicas know each machine by
 * the port of its first worker, which has no more of the content than the others.
 */
export async function machinesRig(t: Test, options: MachinesOptions = {}) {
  const { machines: count = 1, workers: perMachine = 2, onDuty = 1 } = options;
  const double: RegistryDouble = await registryDouble();
  const directory = await mkdtemp(join(tmpdir(), 'quayside-machines-'));
  const closers: (() => Promise<unknown>)[] = [];
  t.teardown(async () => {
    await Promise.all(closers.map((close) => close()));
    await double.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const keyFile = join(directory, 'fleet-key');
  await writeFile(keyFile, 'the key that all machines of the fleet share');
  const addresses = await Promise.all(
    Array.from({ length: count }, async () => `127.0.0.1:${await freePort()}`),
  );
  const names = Array.from({ length: perMachine }, (_, index) => `worker-${index + 1}`);

  async function worker(machine: number, number: number): Promise<RigWorker> {
    const sockets = join(directory, `${machine}`);
    await mkdir(sockets, { recursive: true });
    const store = join(directory, `store-${machine}`);
    const self = addresses[machine];
    const listen = number === 1 ? self : '127.0.0.1:0';
    const settings = {
      ...{ listen: '127.0.0.1:0', admin: { listen: false }, store: { filesystem: { path: store } } },
      shutdownGraceMs: '5s',
      upstreams: { 'quay.io': { url: double.url, allowPrivateAddresses: true, firstByteTimeoutMs: '30s' } },
      ...(count > 1 && { fleet: { listen, self, keyFile, addresses } }),
      ...options.settings,
    };
    const { place, tell } = await placeOf(number, sockets);
    const lines: string[] = [];
    const log = logger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
    const started = load(stringify(settings), {});
    const service = await createService(started, { log, env: {}, workers: place });
    tell({ kind: 'workers', names, onDuty: `worker-${onDuty}` });
    closers.push(() => service.close());
    return {
      ...{ service, url: `http://${service.address}`, store, tell, logText: () => lines.join('') },
      async reload(changes) {
        const changed = load(stringify({ ...settings, ...changes }), {});
        (await service.prepare(inForce(started, changed))).take();
      },
    };
  }

  async function placeOf(number: number, sockets: string) {
    let tell: (message: ToWorker) => void = () => undefined;
    const onMessage = (heard: typeof tell): void => {
      tell = heard;
    };
    const waiting = workerPlace({
      send: () => undefined,
      onMessage,
      onLost: () => undefined,
      unref: () => undefined,
    });
    const about = { number, count: perMachine, isOnDuty: number === onDuty, started: undefined };
    const secrets = { key: 'k'.repeat(40), tokenSecret: 's'.repeat(43), instance: sockets };
    tell({ kind: 'welcome', welcome: { ...about, ...secrets, settings: undefined, directory: sockets } });
    const place: WorkerPlace = await waiting;
    return { place, tell: (message: ToWorker) => tell(message) };
  }

  const machines: (readonly RigWorker[])[] = [];
  for (let machine = 0; machine < count; machine += 1) {
    const workers: RigWorker[] = [];
    for (let number = 1; number <= perMachine; number += 1) workers.push(await worker(machine, number));
    machines.push(workers);
  }
  return { double, machines, all: machines.flat() };
}
