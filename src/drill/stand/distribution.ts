import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../fronts/listening.ts';
import { BesideProgram } from './beside-program.ts';

/** Another cache of the same registry, to be compared with. */
export interface OtherCache {
  readonly url: string;
  readonly child: BesideProgram;
}

/** Distribution 3 as a pull-through cache, in one process over a directory. `program`: its path. */
export async function createDistribution(
  folder: string,
  program: string,
  upstreamUrl: string,
  authorityFile: string,
  signal: AbortSignal,
): Promise<OtherCache> {
  const port = await freePort();
  const config = join(folder, 'distribution.json');
  await writeFile(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'warn', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(folder, 'distribution') } },
      http: { addr: `127.0.0.1:${port}` },
      proxy: { remoteurl: upstreamUrl },
    }),
  );
  const child = new BesideProgram({
    command: program,
    args: ['serve', config],
    log: join(folder, 'distribution.log'),
    signal,
    env: { SSL_CERT_FILE: authorityFile, OTEL_TRACES_EXPORTER: 'none' },
  });
  child.start();
  await child.listens(port);
  return { url: `http://127.0.0.1:${port}`, child };
}
