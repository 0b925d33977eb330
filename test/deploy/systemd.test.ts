import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { load } from '../../src/config/load.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

async function unit(): Promise<ReadonlyMap<string, string>> {
  const lines = (await read('deploy/systemd/quayside.service')).matchAll(/^(\w+)=(.*)$/gm);
  return new Map([...lines].map(([, name = '', value = '']) => [name, value]));
}

test('the unit starts the program as npm start does', async (t) => {
  const [, heap, program = '', ...rest] = (await unit()).get('ExecStart')?.split(' ') ?? [];
  t.match(await read('package.json'), `node ${heap} `);
  await t.resolves(access(join(root, program.replace('/opt/quayside/', ''))));
  t.same(rest, ['serve', '--config', '/etc/quayside/quayside.yaml']);
});

test('systemd waits longer than the program takes to end', async (t) => {
  const { shutdownDelayMs, shutdownGraceMs } = load('', {});
  t.ok(Number((await unit()).get('TimeoutStopSec')) * 1000 > shutdownDelayMs + shutdownGraceMs);
});

test('the page and the unit name the same directory and the same secret', async (t) => {
  const page = await read('docs/one-machine.md');
  const [, settings = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const { store, spool, upstreams } = load(settings, {});
  const directory = `/var/lib/${(await unit()).get('StateDirectory')}`;
  t.match(store, { filesystem: { path: directory } });
  t.ok(spool.path.startsWith(directory));
  const [credential] = (await unit()).get('LoadCredential')?.split(':') ?? [];
  t.match(upstreams['quay.io']?.credentials, {
    authFile: `/run/credentials/quayside.service/${credential}`,
  });
});
