import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { adminServer } from '../../../src/app/server.ts';
import { createOperators } from '../../../src/auth/clusters/operators.ts';
import { accessForget } from '../../../src/cli/access/access-forget.ts';
import { createMetrics } from '../../../src/telemetry/metrics/metrics.ts';
import { badDay } from '../../bad-days/rig.ts';
import { listening } from '../../support/listening.ts';
import { recordedIo } from '../io.ts';

const token = 'a-token-of-the-operators';

async function tokenFile(t: Test): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'quayside-tokens-')), 'tokens');
  t.teardown(() => rm(dirname(file), { recursive: true }));
  await writeFile(file, `# ours\n${token}\n`);
  return file;
}

/** An admin listener, and how often it was told to forget. */
async function admin(t: Test, trustedProxies: readonly string[] = []) {
  const seen = { count: 0 };
  const app = adminServer({
    meters: createMetrics(),
    listen: '127.0.0.1:0',
    trustedProxies: () => trustedProxies,
    operated: () => {},
    operators: createOperators({ tokenFile: await tokenFile(t) }),
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
  const json = recordedIo();
  t.equal(await accessForget(['--config', file, '-o', 'json'], json), 0);
  t.same(JSON.parse(json.out()), { host, forgotten: true });
  t.equal(seen.count, 2);
});

test('a server that asks for a login is shown a token, of the option or of the settings', async (t) => {
  const { url, seen } = await admin(t, ['127.0.0.1/32']);
  const { host } = new URL(url);
  const io = recordedIo();
  t.equal(await accessForget(['--admin', url], io), 1);
  t.match(
    io.err(),
    `${host} answers with 401: it does not accept the token; name a file with a valid one by --token-file`,
  );
  const directory = t.testdir({
    tokens: `${token}\n`,
    'q.yaml': `admin: { listen: "${host}", tokenFile: ${join(t.testdirName, 'tokens')} }`,
  });
  t.equal(await accessForget(['--admin', url, '--token-file', join(directory, 'tokens')], recordedIo()), 0);
  t.equal(await accessForget(['--config', join(directory, 'q.yaml')], recordedIo()), 0);
  t.equal(seen.count, 2);
});

test('clients that pull cannot make a server forget', async (t) => {
  const { url, service } = await badDay(t);
  t.equal((await fetch(`${url}/access/forget`, { method: 'POST' })).status, 404);
  const { status } = await fetch(`http://${service.adminAddress}/access/forget`, { method: 'POST' });
  t.equal(status, 204);
  t.equal((await fetch(`http://${service.adminAddress}/access/forget`)).status, 404, 'and no link can');
});

test('a server that does not answer, or is not ours, is reported', async (t) => {
  const stranger = await listening(createServer((_, response) => response.writeHead(404).end()));
  const { host } = stranger;
  const io = recordedIo();
  t.equal(await accessForget(['--admin', `http://${host}`], io), 1);
  t.match(io.err(), `quayside access forget: ${host} answers with 404`);
  await stranger.close();
  t.equal(await accessForget(['--admin', `http://${host}`], io), 1);
  t.match(io.err(), `${host} cannot be asked (ECONNREFUSED)`);
});

test('a command line that means nothing is refused', async (t) => {
  const file = join(t.testdir({ 'q.yaml': 'admin: { listen: false }' }), 'q.yaml');
  for (const args of [
    ['now'],
    ['--admin', 'localhost'],
    ['--admin', 'http://127.0.0.1:1', '--config', file],
    ['--config', file],
    ['--admin', 'http://127.0.0.1:1', '--token-file', `${file}.none`],
    ['--admin', 'http://127.0.0.1:1', '--token-file', file],
  ])
    await t.rejects(accessForget(args, recordedIo()), { name: 'UsageError' }, args.join(' '));
});
