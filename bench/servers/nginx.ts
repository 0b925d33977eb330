import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from './programs.ts';
import type { Ground, Server, ServerName } from './server.ts';

/**
 * nginx over the files of `<directory>/site`: `sendfile`, one worker, an access log as by default.
 */
export function nginxStatic(command: string, ground: Ground, mediaType: string): Promise<Server> {
  return nginx(command, 'nginx static', ground, () => ({
    server: `root ${join(ground.directory, 'site')}; default_type ${mediaType};`,
  }));
}

/**
 * nginx as a cache before the upstream; `proxy_cache_lock` lets one request through and keeps the
 * others waiting.
 */
export function nginxCache(command: string, ground: Ground): Promise<Server> {
  return nginx(command, 'nginx cache', ground, () => ({
    http: `proxy_cache_path ${join(ground.directory, 'cache')} levels=1:2 keys_zone=bench:10m max_size=20g inactive=1d use_temp_path=off;`,
    server: [
      `location / { proxy_pass ${ground.upstream}; proxy_http_version 1.1; proxy_set_header Connection "";`,
      'proxy_cache bench; proxy_cache_key $uri; proxy_cache_valid 200 1h;',
      'proxy_cache_lock on; proxy_cache_lock_age 10m; proxy_cache_lock_timeout 10m; }',
    ].join(' '),
  }));
}

async function nginx(
  command: string,
  name: ServerName,
  { programs, directory }: Ground,
  parts: () => { readonly http?: string; readonly server: string },
): Promise<Server> {
  const port = await freePort();
  const file = join(directory, 'nginx.conf');
  await mkdir(join(directory, 'temp'), { recursive: true });
  await writeFile(file, configuration(directory, port, parts()));
  const program = await programs.start({ name, command, args: ['-p', directory, '-c', file], port });
  return { name, origin: `http://127.0.0.1:${port}`, pid: program.pid, stop: program.stop };
}

function configuration(
  directory: string,
  port: number,
  parts: { readonly http?: string; readonly server: string },
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    'daemon off; worker_processes 1;',
    `pid ${join(directory, 'nginx.pid')}; error_log ${join(directory, 'error.log')} warn;`,
    process.getuid?.() === 0 ? 'user root;' : '',
    'events { worker_connections 4096; }',
    'http {',
    `  access_log ${join(directory, 'access.log')}; sendfile on; tcp_nopush on; keepalive_requests 1000000000;`,
    ...temporary.map((kind) => `  ${kind}_temp_path ${join(directory, 'temp', kind)};`),
    `  ${parts.http ?? ''}`,
    `  server { listen 127.0.0.1:${port}; ${parts.server} }`,
    '}',
  ].join('\n');
}
