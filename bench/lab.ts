import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Offer, offer } from './content.ts';
import type { ImageQuestion, ImagesPulled } from './load/image-process.ts';
import type { Pulled } from './load/pull.ts';
import type { PullQuestion } from './load/pull-process.ts';
import { type RequestLoad, requestLoad } from './load/requests.ts';
import { plainRegistry, registryProxy } from './servers/docker-registry.ts';
import { gigabit, type Link, link } from './servers/link.ts';
import { nginxCache, nginxStatic } from './servers/nginx.ts';
import { findProgram, type Programs, programs } from './servers/programs.ts';
import { quayside, type S3Settings } from './servers/quayside.ts';
import type { Ground, Server, ServerName } from './servers/server.ts';
import { siteOf } from './servers/site.ts';
import { worker } from './servers/worker.ts';

export interface StartOptions {
  /** What is behind the server: the link of stated speed (default), or the registry itself. */
  readonly upstream?: 'link' | 'loopback';
  /** Quayside only. */
  readonly s3?: S3Settings;
  /** Quayside only: settings besides, as in its configuration file. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/**
 * The bench's own ground: an upstream with content, a link to it, clients, and the servers under
 * measurement.
 */
export interface Lab {
  readonly isShort: boolean;
  readonly offer: Offer;
  /** The way to the upstream at 1 Gbit/s. */
  readonly link: Link;
  /** The upstream without the link, an origin. */
  readonly upstream: string;
  readonly programs: Programs;
  /** Everything is below it. */
  readonly directory: string;
  readonly requests: RequestLoad;
  /** Why a server could not take part, by its name. */
  readonly absent: ReadonlyMap<ServerName, string>;
  /**
   * Starts a server with an empty cache; undefined, and a reason in `absent`, when this machine
   * cannot. Its `stop` takes its files away.
   */
  start(name: ServerName, options?: StartOptions): Promise<Server | undefined>;
  pull(question: PullQuestion): Promise<readonly Pulled[]>;
  pullImages(question: ImageQuestion): Promise<ImagesPulled>;
  say(text: string): void;
  close(): Promise<void>;
}

interface LabOptions {
  readonly isShort: boolean;
  /** An empty directory for everything; the caller takes it away. */
  readonly directory: string;
  readonly say: (text: string) => void;
}

/** Throws when there is no docker-registry, without which there is no upstream. */
export async function lab({ isShort, directory, say }: LabOptions): Promise<Lab> {
  const running = programs(directory);
  const registry = findProgram('docker-registry');
  if (registry === undefined) throw new Error('docker-registry is not installed, and it plays the upstream');
  const upstream = await plainRegistry(registry, 'upstream', { programs: running, directory });
  say('generating and pushing 1.2 GB of images to the upstream');
  const content = await offer(upstream.origin);
  const slowLink = await link({ targetPort: upstream.port, bytesPerSecond: gigabit });
  const puller = worker<PullQuestion, readonly Pulled[]>(new URL('./load/pull-process.ts', import.meta.url));
  const imagePuller = worker<ImageQuestion, ImagesPulled>(
    new URL('./load/image-process.ts', import.meta.url),
  );
  const requests = requestLoad();
  const absent = new Map<ServerName, string>();
  let started = 0;
  return {
    isShort,
    offer: content,
    link: slowLink,
    upstream: upstream.origin,
    programs: running,
    directory,
    requests,
    absent,
    async start(name, options = {}) {
      const ground = {
        programs: running,
        directory: join(directory, `${name.replaceAll(' ', '-')}-${++started}`),
        upstream: options.upstream === 'loopback' ? upstream.origin : slowLink.origin,
      };
      await mkdir(ground.directory);
      const server = await starter(name, content, options)(ground);
      if (typeof server === 'string') absent.set(name, server);
      return typeof server === 'string' ? undefined : cleaning(server, ground.directory);
    },
    pull: (question) => puller.ask(question),
    pullImages: (question) => imagePuller.ask(question),
    say,
    async close() {
      puller.close();
      imagePuller.close();
      requests.close();
      slowLink.close();
      await running.stopAll();
    },
  };
}

type Starter = (ground: Ground) => Promise<Server | string>;

function starter(name: ServerName, content: Offer, { s3, settings }: StartOptions): Starter {
  switch (name) {
    case 'quayside':
      return (ground) =>
        quayside(ground, {
          ...(s3 === undefined ? {} : { s3 }),
          ...(settings === undefined ? {} : { settings }),
        }).catch(reason);
    case 'docker-registry':
      return withProgram('docker-registry', registryProxy);
    case 'nginx cache':
      return withProgram('nginx', nginxCache);
    case 'nginx static':
      return withProgram('nginx', async (command, ground) => {
        await siteOf(content, join(ground.directory, 'site'));
        return nginxStatic(command, ground, content.image.root.descriptor.mediaType);
      });
  }
}

function withProgram(command: string, start: (path: string, ground: Ground) => Promise<Server>): Starter {
  return (ground) => {
    const path = findProgram(command);
    return path === undefined
      ? Promise.resolve(`${command} is not installed`)
      : start(path, ground).catch(reason);
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

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
