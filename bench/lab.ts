import { rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hash } from 'bcryptjs';
import { testAuthority } from '../test/support/certificates.ts';
import { type Offer, offer } from './content.ts';
import type { Form } from './form.ts';
import { cleared, diskGround } from './ground.ts';
import type { ImageQuestion, ImagesPulled } from './load/image-process.ts';
import type { Pulled } from './load/pull.ts';
import type { PullQuestion } from './load/pull-process.ts';
import { type RequestLoad, requestLoad } from './load/requests.ts';
import { type ConditionName, condition, conditions } from './servers/conditions.ts';
import { plainRegistry } from './servers/docker-registry.ts';
import { gigabit, link } from './servers/link.ts';
import { findProgram, type Programs, programs } from './servers/programs.ts';
import type { Relay, RelayCounts } from './servers/relay.ts';
import type { Server, ServerName } from './servers/server.ts';
import { type SecretFiles, type StartOptions, startServer } from './servers/start.ts';
import { worker } from './servers/worker.ts';

/**
 * The bench's own ground: an upstream with content, ways to it, clients, and the servers under
 * measurement.
 */
export interface Lab {
  readonly form: Form;
  readonly offer: Offer;
  /** The way to the upstream at 1 Gbit/s. */
  readonly link: Relay;
  /** The upstream without anything between, an origin. */
  readonly upstream: string;
  readonly programs: Programs;
  /** Everything is below it. */
  readonly directory: string;
  readonly requests: RequestLoad;
  /** Why a server could not take part, by its name. */
  readonly absent: ReadonlyMap<ServerName, string>;
  /** Who logs in where servers want a login. */
  readonly login: { readonly username: string; readonly password: string };
  /**
   * Starts a server with an empty cache; undefined, and a reason in `absent`, when this machine
   * cannot. Its `stop` takes its files away.
   */
  start(name: ServerName, options?: StartOptions): Promise<Server | undefined>;
  /** The way to the upstream that a server has which is started with this, an origin. */
  wayTo(name: 'link' | 'loopback' | ConditionName): Promise<string>;
  /** What crossed all ways to the upstream since the last `forget`. */
  traffic(): Promise<RelayCounts>;
  forget(): Promise<void>;
  pull(question: PullQuestion): Promise<readonly Pulled[]>;
  pullImages(question: ImageQuestion): Promise<ImagesPulled>;
  say(text: string): void;
  close(): Promise<void>;
}

interface LabOptions {
  readonly form: Form;
  /** An empty directory for everything; the caller takes it away. */
  readonly directory: string;
  readonly say: (text: string) => void;
}

const login = { username: 'bench', password: 'bench-secret' } as const;
/** As `htpasswd -B` has it. */
const bcryptCost = 5;

/** Throws when there is no docker-registry, without which there is no upstream. */
export async function lab({ form, directory, say }: LabOptions): Promise<Lab> {
  const running = programs(directory);
  const registry = findProgram('docker-registry');
  if (registry === undefined) throw new Error('docker-registry is not installed, and it plays the upstream');
  const upstream = await plainRegistry(registry, 'upstream', { programs: running, directory });
  say('generating and pushing images to the upstream');
  const content = await offer(upstream.origin, form);
  const slowLink = await link({ targetPort: upstream.port, bytesPerSecond: gigabit });
  const ways = new Map<string, Relay>([['link', slowLink]]);
  const wayTo = async (name: 'link' | 'loopback' | ConditionName): Promise<string> => {
    const way = ways.get(name) ?? (await condition({ targetPort: upstream.port, ...optionsOf(name) }));
    ways.set(name, way);
    return way.origin;
  };
  const files = await secretFiles(directory);
  const puller = worker<PullQuestion, readonly Pulled[]>(new URL('./load/pull-process.ts', import.meta.url));
  const imagePuller = worker<ImageQuestion, ImagesPulled>(
    new URL('./load/image-process.ts', import.meta.url),
  );
  const requests = requestLoad();
  const absent = new Map<ServerName, string>();
  const disk = await diskGround(directory);
  const leave = (): void => {
    if (disk !== undefined) rmSync(disk, { recursive: true, force: true });
  };
  process.on('exit', leave);
  let started = 0;
  return {
    form,
    offer: content,
    link: slowLink,
    upstream: upstream.origin,
    programs: running,
    directory,
    requests,
    absent,
    login,
    wayTo,
    async start(name, options = {}) {
      const parent = options.isOnDisk === true ? disk : directory;
      if (parent === undefined) {
        absent.set(name, 'this machine has no disk for it');
        return undefined;
      }
      const ground = {
        programs: running,
        directory: join(parent, `${name.replaceAll(/[ :]/g, '-')}-${++started}`),
        upstream: options.registry ?? (await wayTo(options.upstream ?? 'link')),
      };
      await mkdir(ground.directory);
      const server = await startServer(name, ground, { ...options, content, files });
      if (typeof server === 'string') absent.set(name, server);
      return typeof server === 'string' ? undefined : cleaning(server, ground.directory);
    },
    async traffic() {
      const counts = await Promise.all([...ways.values()].map((way) => way.counts()));
      const sum = (of: (each: RelayCounts) => number) => counts.reduce((total, each) => total + of(each), 0);
      return {
        bytes: sum(({ bytes }) => bytes),
        sentBytes: sum(({ sentBytes }) => sentBytes),
        requests: sum((each) => each.requests),
        allRequests: sum(({ allRequests }) => allRequests),
      };
    },
    async forget() {
      await Promise.all([...ways.values()].map((way) => way.reset()));
    },
    pull: (question) => puller.ask(question),
    pullImages: (question) => imagePuller.ask(question),
    say,
    async close() {
      puller.close();
      imagePuller.close();
      requests.close();
      for (const way of ways.values()) way.close();
      await running.stopAll();
      process.off('exit', leave);
      if (disk !== undefined) await cleared(disk);
    },
  };
}

function optionsOf(name: 'link' | 'loopback' | ConditionName): (typeof conditions)[ConditionName] {
  return name === 'link' || name === 'loopback' ? {} : conditions[name];
}

async function secretFiles(directory: string): Promise<SecretFiles> {
  const { cert, key } = testAuthority().issued();
  const texts = {
    certFile: cert,
    keyFile: key,
    htpasswdFile: `${login.username}:${await hash(login.password, bcryptCost)}\n`,
  };
  const place = (name: keyof SecretFiles): string => join(directory, name);
  for (const name of ['certFile', 'keyFile', 'htpasswdFile'] as const)
    await writeFile(place(name), texts[name]);
  return {
    certFile: place('certFile'),
    keyFile: place('keyFile'),
    htpasswdFile: place('htpasswdFile'),
  };
}

function cleaning(server: Server, directory: string): Server {
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
