import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './programs.ts';
import type { Ground, Server } from './server.ts';

const module = fileURLToPath(new URL('./bare-process.ts', import.meta.url));

/** The least that a server in JavaScript can do: files of `<directory>/site` by `node:http`. */
export async function bareServer({ programs, directory }: Ground, mediaType: string): Promise<Server> {
  const port = await freePort();
  const program = await programs.start({
    name: 'node:http',
    command: process.execPath,
    args: ['--max-semi-space-size=8', module, String(port), join(directory, 'site'), mediaType],
    port,
  });
  return { name: 'node:http', origin: `http://127.0.0.1:${port}`, pid: program.pid, stop: program.stop };
}
