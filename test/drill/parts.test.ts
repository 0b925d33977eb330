import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { drill } from '../../src/cli/drill/drill.ts';
import { load } from '../../src/config/load.ts';
import { freePort } from '../../src/drill/fronts/listening.ts';
import { begun } from '../../src/drill/play/play.ts';
import { BesideProgram } from '../../src/drill/stand/beside-program.ts';
import { createMemoryRegistry } from '../../src/drill/stand/registry.ts';
import { settingsOf } from '../../src/drill/stand/settings.ts';
import { drills } from '../../src/drill/table/table.ts';
import { shortened } from '../../src/drill/watch/alerts.ts';
import { createStoredCheck } from '../../src/drill/watch/stored.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { recordedIo } from '../cli/io.ts';
import { rulesFile } from '../monitoring/rules.ts';
import { generatedImage, pushImage } from '../support/images.ts';

test('rules of minutes become rules of seconds', async (t) => {
  const rules = shortened(await readFile(rulesFile, 'utf8'));
  t.notMatch(rules, /for: (?!1s)/);
  t.notMatch(rules, /\[\d+[mhd]\]|offset \d+[mhd]/);
});

test('the registry takes an image as a client pushes it, and gives it back', async (t) => {
  const registry = await createMemoryRegistry();
  t.teardown(() => registry.close());
  const image = await generatedImage({ seed: 'drill', layers: [1_000, 20_000], mediaTypes: 'oci' });
  await pushImage(registry.url, 'team/app', 'v1', image);
  const { digest } = image.root.descriptor;
  t.equal(registry.digestOf('team/app', 'v1'), digest);
  const manifest = await fetch(`${registry.url}/v2/team/app/manifests/v1`);
  t.equal(digestOf(Buffer.from(await manifest.arrayBuffer())), digest);
  const [layer] = image.blobs.map(({ descriptor }) => descriptor);
  const blob = `${registry.url}/v2/team/app/blobs/${layer?.digest}`;
  const whole = Buffer.from(await (await fetch(blob)).arrayBuffer());
  t.equal(digestOf(whole), layer?.digest);
  const part = await fetch(blob, { headers: { range: 'bytes=10-19' } });
  t.same(Buffer.from(await part.arrayBuffer()), whole.subarray(10, 20));
  t.equal((await fetch(`${registry.url}/v2/team/app/manifests/v2`)).status, 404);
});

test('a stored blob of other bytes is found once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'quayside-stored-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const hex = digestOf(Buffer.from('right')).slice('sha256:'.length);
  const path = join(folder, 'v1/blobs/sha256', hex.slice(0, 2), hex);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, 'wrong');
  const check = createStoredCheck([folder]);
  t.same(await check(), [path]);
  t.same(await check(), []);
});

test('a program that does not listen is ended', async (t) => {
  const folder = t.testdir();
  const args = ['-e', 'setInterval(() => undefined, 1000)'];
  const { signal } = new AbortController();
  const log = join(folder, 'log');
  const program = new BesideProgram({ command: process.execPath, args, log, signal });
  t.teardown(() => program.stop());
  program.start();
  await t.rejects(program.listens(await freePort(), 1), { message: /does not listen on port/ });
  t.equal(program.pid, undefined);
});

test('a program that starts ends at once when the drill is interrupted, and for good', async (t) => {
  const interrupted = new AbortController();
  // It ignores SIGTERM, as a program that drains its connections.
  const args = ['-e', "process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000)"];
  const log = join(t.testdir(), 'log');
  const program = new BesideProgram({
    command: process.execPath,
    args,
    log,
    signal: interrupted.signal,
  });
  program.start();
  const listens = program.listens(await freePort());
  interrupted.abort(new Error('interrupted'));
  await t.rejects(listens, { message: 'interrupted' });
  await program.stop();
  t.equal(program.pid, undefined);
  t.throws(() => program.start(), { message: 'interrupted' });
  t.equal(program.restarts, 0);
});

test('settings of the upstream are those of the registry, and no section of a replica', (t) => {
  const member = { host: '127.0.0.1:4', set: () => undefined, met: () => 0, close: () => Promise.resolve() };
  const ports = { port: 1, adminPort: 2, fleetPort: 3 };
  const urls = { url: 'http://127.0.0.1:1', admin: 'http://127.0.0.1:2' };
  const place = {
    name: 'replica-1',
    ...ports,
    ...urls,
    member,
    configFile: '/drill/replica-1.json',
    log: '/drill/replica-1.log',
  };
  const where = { folder: '/drill', upstreamUrl: 'https://127.0.0.1:5', copiesUrl: 'http://127.0.0.1:6' };
  const own = { upstream: { manifestTimeoutMs: '2s' }, tags: { freshMs: '5m' } };
  const settings = settingsOf({ ...where, store: undefined, places: [place], own, inertiaMs: 2_000 }, place);
  const { upstreams, tags } = load(JSON.stringify(settings), {});
  t.equal(upstreams['registry.drill']?.manifestTimeoutMs, 2_000);
  t.ok(tags);
  t.end();
});

test('a fault that cannot begin says why', async (t) => {
  const start = () => Promise.reject(new Error('prlimit is missing'));
  t.equal(await begun({ start }, {} as Parameters<typeof begun>[1]), 'prlimit is missing');
});

test('a result that could not be written is a mistake before the drills', async (t) => {
  const file = join(t.testdir(), 'missing', 'result.json');
  await t.rejects(drill(['--only', 's3', '-o', file], recordedIo()), { message: /cannot be written/ });
});

test('the list has every drill, and an unknown one is a mistake', async (t) => {
  const io = recordedIo();
  t.equal(await drill(['--list'], io), 0);
  t.equal(io.out().split('\n').length, drills.length + 1);
  await t.rejects(drill(['--only', 'weather'], io), { message: /--only weather: there is no such drill/ });
});
