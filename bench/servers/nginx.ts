import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/support/program.ts';
import type { Ground, Server, ServerName } from './server.ts';

/**
 * nginx over the files of `<directory>/site`: `sendfile`, one worker, an access log as by default.
 */
export function nginxStatic(command: string, ground: Ground, mediaType: string): Promise<Server> {
  const site = `root ${join(ground.directory, 'site')}; default_type ${mediaType};`;
  return nginx(command, 'nginx static', ground, site);
}

async function nginx(
  command: string,
  name: ServerName,
  { programs, directory }: Ground,
  site: string,
): Promise<Server> {
  const port = await freePort();
  const file = join(directory, 'nginx.conf');
  await mkdir(join(directory, 'temp'), { recursive: true });
  await writeFile(file, configuration(directory, port, site));
  const program = await programs.start({ name, command, args: ['-p', directory, '-c', file], port });
  return { name, origin: `http://127.0.0.1:${port}`, pid: program.pid, stop: program.stop };
}

function configuration(directory: string, port: number, site: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    'daemon off; worker_processes 1;',
    `pid ${join(directory, 'nginx.pid')}; error_log ${join(directory, 'error.log')} warn;`,
    process.getuid?.() === 0 ? 'user root;' : '',
    'events { worker_connections 4096; }',
    'http {',
    `  access_log ${join(directory, 'access.log')}; sendfile on; tcp_nopush on; keepalive_requests 1000000000;`,
    ...temporary.map((kind) => `  ${kind}_temp_path ${join(directory, 'temp', kind)};`),
    `  server { listen 127.0.0.1:${port}; ${site} }`,
    '}',
  ].join('\n');
}
