import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { defined } from '../../src/base/text/defined.ts';
import { freePort } from '../../test/support/program.ts';
import { originOf, type PeerOptions, peerConfiguration } from '../peers/peers.ts';
import type { Ground, Server } from './server.ts';

interface QuaysideOptions extends PeerOptions {
  /** Patterns of the only repositories it may ask for. Default: all. */
  readonly repositories?: readonly string[];
  /**
   * After how many milliseconds the upstream is asked for a tag before it is answered. Default:
   * Quayside's own policy.
   */
  readonly tagsFreshMs?: number;
  /** Settings besides, as in the configuration file. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** More of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The folder of another checkout, with its own node_modules. Default: this one. */
  readonly checkout?: string;
}

/** A machine that does other work, too, needs longer than the default. */
const readyMs = 60_000;
const here = fileURLToPath(new URL('../..', import.meta.url));

function entryOf({ checkout = here }: QuaysideOptions): string {
  return join(checkout, 'bin/quayside.js');
}

/** Quayside as `bench/peers/quayside.yaml` says, and as `options` say besides. */
export async function quayside(ground: Ground, options: QuaysideOptions = {}): Promise<Server> {
  const port = await freePort();
  const file = join(ground.directory, 'quayside.yaml');
  await writeFile(file, JSON.stringify(await configuration(ground, port, options), undefined, 2));
  if (options.s3 !== undefined) await credentialFiles(ground.directory);
  const program = await ground.programs.start({
    name: 'quayside',
    command: process.execPath,
    args: ['--max-semi-space-size=8', entryOf(options), 'serve', '--config', file],
    ...defined({ env: options.env }),
    port,
    readyMs,
  });
  return { name: 'quayside', origin: originOf(port, options), pid: program.pid, stop: program.stop };
}

/** JSON is YAML. */
async function configuration(ground: Ground, port: number, options: QuaysideOptions): Promise<unknown> {
  const { repositories, tagsFreshMs, settings } = options;
  const base = parse(await peerConfiguration('quayside.yaml', ground, port, options)) as BaseConfiguration;
  const { origin } = base.upstreams;
  return {
    ...base,
    ...settings,
    ...(tagsFreshMs === undefined ? {} : { tags: { freshMs: tagsFreshMs, refreshBehindMs: 0 } }),
    ...(repositories === undefined ? {} : { upstreams: { origin: { ...origin, repositories } } }),
  };
}

interface BaseConfiguration {
  readonly upstreams: { readonly origin: object };
}

async function credentialFiles(directory: string): Promise<void> {
  await writeFile(join(directory, 'access-key-id'), 'bench', { mode: 0o600 });
  await writeFile(join(directory, 'secret-access-key'), 'bench-secret', { mode: 0o600 });
}
