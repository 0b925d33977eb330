import { writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { freePort } from '../fronts/listening.ts';
import { createTcpFront, type TcpFront } from '../fronts/tcp-front.ts';
import { BesideProgram } from './beside-program.ts';

/** One process of the fleet. */
export interface FleetReplica {
  /** Such as `replica-1`. */
  readonly name: string;
  readonly port: number;
  /** Where pulls go, and operators. */
  readonly url: string;
  readonly admin: string;
  /** Where the other members find it. */
  readonly member: TcpFront;
  readonly child: BesideProgram;
  readonly configFile: string;
  /** The file of its log. */
  readonly log: string;
  /** Sets its wall clock ahead, milliseconds. */
  setClock(aheadMs: number): Promise<void>;
}

/** The ports of a replica, before it has settings. */
export interface ReplicaPlace extends Omit<FleetReplica, 'child' | 'setClock'> {
  readonly adminPort: number;
  readonly fleetPort: number;
}

export async function createReplicaPlace(folder: string, index: number): Promise<ReplicaPlace> {
  const [port, adminPort, fleetPort] = [await freePort(), await freePort(), await freePort()];
  const name = `replica-${index + 1}`;
  return {
    ...{ name, port, adminPort, fleetPort },
    url: `http://127.0.0.1:${port}`,
    admin: `http://127.0.0.1:${adminPort}`,
    member: await createTcpFront(() => [fleetPort]),
    configFile: join(folder, `${name}.json`),
    log: join(folder, `${name}.log`),
  };
}

/** Starts it; resolves once it listens. */
export async function createReplica(
  folder: string,
  place: ReplicaPlace,
  settings: object,
  signal: AbortSignal,
): Promise<FleetReplica> {
  const { name, configFile, log, port, adminPort } = place;
  const clockFile = join(folder, `${name}.clock`);
  await writeFile(clockFile, '0');
  await writeFile(configFile, JSON.stringify(settings, undefined, 2));
  const child = new BesideProgram({
    command: process.execPath,
    args: [
      '--max-semi-space-size=8',
      '--import',
      clockModule(clockFile),
      program(),
      'serve',
      '--config',
      configFile,
    ],
    log,
    signal,
    isOurs: true,
  });
  child.start();
  try {
    await child.listens(port);
    await child.listens(adminPort);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { ...place, child, setClock: (aheadMs) => writeFile(clockFile, String(aheadMs)) };
}

/** This program, as it runs now: its sources, or what was made of them. */
function program(): string {
  return fileURLToPath(new URL(`../../main${extname(import.meta.url)}`, import.meta.url));
}

function clockModule(file: string): string {
  const url = new URL(`./shifted-clock${extname(import.meta.url)}`, import.meta.url);
  url.searchParams.set('file', file);
  return url.href.startsWith('file:') ? url.href : pathToFileURL(url.pathname).href;
}
