import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defined } from '../../src/base/text/defined.ts';
import { freePort } from '../../test/support/program.ts';
import { originOf, type PeerOptions } from '../peers/peers.ts';
import type { Ground, Server } from './server.ts';

const module = fileURLToPath(new URL('./bare-process.ts', import.meta.url));

/**
 * The least that a server in JavaScript can do: files of `<directory>/site` by `node:http`, or by
 * `node:https` where it is given a certificate.
 */
export async function bareServer(
  { programs, directory }: Ground,
  mediaType: string,
  { tls }: Pick<PeerOptions, 'tls'> = {},
): Promise<Server> {
  const port = await freePort();
  const program = await programs.start({
    name: 'node:http',
    command: process.execPath,
    args: [
      '--max-semi-space-size=8',
      module,
      ...[String(port), join(directory, 'site'), mediaType],
      ...(tls === undefined ? [] : [tls.certFile, tls.keyFile]),
    ],
    port,
  });
  const origin = originOf(port, defined({ tls }));
  return { name: 'node:http', origin, pid: program.pid, stop: program.stop };
}
