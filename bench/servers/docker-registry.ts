import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type Program } from './programs.ts';
import type { Ground, Server } from './server.ts';

/** The reference registry as a pull-through proxy, with the settings its package ships. */
export async function registryProxy(command: string, ground: Ground): Promise<Server> {
  const { program, origin } = await registry(command, 'docker-registry', ground, {
    remoteurl: ground.upstream,
  });
  return { name: 'docker-registry', origin, pid: program.pid, stop: program.stop };
}

/** The same program without the proxy: what the upstream is, and what images are mirrored to. */
export interface PlainRegistry {
  readonly origin: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Empty unless its directory was used before. */
export async function plainRegistry(
  command: string,
  name: string,
  ground: Omit<Ground, 'upstream'>,
): Promise<PlainRegistry> {
  const { program, origin, port } = await registry(command, name, ground);
  return { origin, port, pid: program.pid, stop: program.stop };
}

async function registry(
  command: string,
  name: string,
  { programs, directory }: Omit<Ground, 'upstream'>,
  proxy?: { readonly remoteurl: string },
): Promise<{ readonly program: Program; readonly origin: string; readonly port: number }> {
  const port = await freePort();
  const file = join(directory, `${name}.yaml`);
  const config = {
    version: 0.1,
    log: { level: 'info' },
    storage: {
      cache: { blobdescriptor: 'inmemory' },
      filesystem: { rootdirectory: join(directory, 'store') },
    },
    http: { addr: `127.0.0.1:${port}` },
    ...(proxy === undefined ? {} : { proxy }),
  };
  await writeFile(file, JSON.stringify(config, undefined, 2));
  const program = await programs.start({ name, command, args: ['serve', file], port });
  return { program, origin: `http://127.0.0.1:${port}`, port };
}
