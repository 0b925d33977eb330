import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/program.ts';
import type { Ground } from './server.ts';

/** The reference registry: what the upstream is, and what images are mirrored to. */
export interface PlainRegistry {
  readonly origin: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Empty unless its directory was used before. It takes DELETE. */
export async function plainRegistry(
  command: string,
  name: string,
  { programs, directory }: Omit<Ground, 'upstream'>,
): Promise<PlainRegistry> {
  const port = await freePort();
  const file = join(directory, `${name}.yaml`);
  const config = {
    version: 0.1,
    log: { level: 'info' },
    storage: {
      cache: { blobdescriptor: 'inmemory' },
      filesystem: { rootdirectory: join(directory, 'store') },
      delete: { enabled: true },
    },
    http: { addr: `127.0.0.1:${port}` },
  };
  await writeFile(file, JSON.stringify(config, undefined, 2));
  // Version 3 sends traces to an OpenTelemetry collector unless it is told not to.
  const env = { OTEL_TRACES_EXPORTER: 'none' };
  const program = await programs.start({ name, command, args: ['serve', file], port, env });
  return { origin: `http://127.0.0.1:${port}`, port, pid: program.pid, stop: program.stop };
}
