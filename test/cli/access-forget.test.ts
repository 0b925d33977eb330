import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { accessForget } from '../../src/cli/access-forget.ts';
import { metrics } from '../../src/metrics.ts';
import { adminServer } from '../../src/server.ts';
import { badDay } from '../bad-days/rig.ts';
import { recordedIo } from './io.ts';

/** An admin listener, and how often it was told to forget. */
async function admin(t: Test) {
  const seen = { count: 0 };
  const app = adminServer({
    meters: metrics(),
    isReady: async () => true,
    forget: () => {
      seen.count += 1;
    },
  });
  t.teardown(() => app.close());
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, seen };
}

test('a running server forgets, found by its URL or by its settings', async (t) => {
  const { url, seen } = await admin(t);
  const { host } = new URL(url);
  const io = recordedIo();
  t.equal(await accessForget(['--admin', url], io), 0);
  t.equal(io.out(), `${host}: forgotten\n`);
  const file = join(t.testdir({ 'q.yaml': `admin: { listen: "${host}" }` }), 'q.yaml');
  t.equal(await accessForget(['--config', file], recordedIo()), 0);
  t.equal(seen.count, 2);
});

test('clients that pull cannot make a server forget', async (t) => {
  const { url, service } = await badDay(t);
  t.equal((await fetch(`${url}/access/forget`, { method: 'POST' })).status, 404);
  const { status } = await fetch(`http://${service.adminAddress}/access/forget`, { method: 'POST' });
  t.equal(status, 204);
  t.equal((await fetch(`http://${service.adminAddress}/access/forget`)).status, 404, 'and no link can');
});

test('whoever does not answer, or is somebody else, is told', async (t) => {
  const stranger = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => stranger.once('listening', resolve));
  const { port } = stranger.address() as AddressInfo;
  const io = recordedIo();
  t.equal(await accessForget(['--admin', `http://127.0.0.1:${port}`], io), 1);
  t.match(io.err(), `quayside access forget: 127.0.0.1:${port} answers with 404`);
  await new Promise((resolve) => stranger.close(resolve));
  t.equal(await accessForget(['--admin', `http://127.0.0.1:${port}`], io), 1);
  t.match(io.err(), `127.0.0.1:${port} cannot be asked (ECONNREFUSED)`);
});

test('a command line that means nothing is refused', async (t) => {
  const file = join(t.testdir({ 'q.yaml': 'admin: { listen: false }' }), 'q.yaml');
  for (const args of [
    ['now'],
    ['--admin', 'localhost'],
    ['--admin', 'http://127.0.0.1:1', '--config', file],
    ['--config', file],
  ])
    await t.rejects(accessForget(args, recordedIo()), { name: 'UsageError' }, args.join(' '));
});
