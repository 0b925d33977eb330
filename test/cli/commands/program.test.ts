import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { stage } from '../../support/program.ts';
import { finished } from '../../support/run-command.ts';

const script = fileURLToPath(new URL('../../../bin/quayside.js', import.meta.url));

/**
 * Lets a Node say that it is version 20. The Node that the program may start in turn says what it
 * is.
 */
const pretending = `data:text/javascript,${encodeURIComponent(
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } });
   Object.defineProperty(process, 'version', { value: 'v20.19.0' });`,
)}`;

const program = (...args: string[]) => finished(process.execPath, [script, ...args], { mayFail: true });

const programOnOldNode = (at: string, ...args: string[]) =>
  finished(process.execPath, ['--import', pretending, at, ...args], { mayFail: true });

test('the program answers on standard output', async (t) => {
  t.match(await program('version'), { code: 0, stdout: /^quayside \d/, stderr: '' });
});

test('the program ends with the code of its command', async (t) => {
  t.match(await program('config', 'check', '/nowhere.yaml'), {
    code: 2,
    stdout: '/nowhere.yaml: cannot be read (ENOENT)\n',
  });
});

test('a mirroring configuration that cannot be used ends the start, with every fault and no stack', async (t) => {
  const folder = t.testdir({
    '_config.yaml': 'supplementalCIImages:\n  ci/a: {image: q.io/b/c:d}\n  ci/b:c: {image: "quay.io:x/y"}\n',
  });
  const configFile = join(folder, '_config.yaml');
  const file = join(folder, 'q.yaml');
  await writeFile(
    file,
    JSON.stringify({ listen: '127.0.0.1:0', store: { memory: {} }, mirror: { configFile } }),
  );
  const { code, stderr } = await program('serve', '--config', file);
  t.equal(code, 2);
  const said = stderr.split('\n').filter((line) => line.includes('_config.yaml'));
  t.match(said, [
    `${configFile}:2: invalid target: ci/a: write namespace/name:tag`,
    `${configFile}:3: supplementalCIImages[ci/b:c]: the source "quay.io:x/y" is not a valid image reference`,
  ]);
  t.notMatch(stderr, /\n\s+at /);
});

test('started on an old Node, it runs on its own', async (t) => {
  t.match(await programOnOldNode(script, 'version'), { code: 0, stdout: /^quayside \d/, stderr: '' });
  t.match(await programOnOldNode(script, 'frobnicate'), { code: 2, stderr: /unknown command frobnicate/ });
});

test('started on an old Node without its own, it says what to do, in a checkout and installed', async (t) => {
  const bare = () => ({ 'package.json': '{"type":"module"}', bin: {} });
  const folder = t.testdir({
    checkout: { ...bare(), src: { 'main.ts': '' } },
    app: { node_modules: { quayside: { ...bare(), dist: { 'main.js': '' } } } },
  });
  for (const [at, advice] of [
    ['checkout', `Run "npm ci" in ${join(folder, 'checkout')}`],
    ['app/node_modules/quayside', `Run "npm install node@26" in ${join(folder, 'app')}`],
  ] as const) {
    const copy = join(folder, at, 'bin', 'quayside.js');
    await cp(script, copy);
    const { code, stderr } = await programOnOldNode(copy, 'version');
    t.equal(code, 1);
    t.match(stderr, 'quayside: needs Node 24 or newer, and this is v20.19.0.');
    t.match(stderr, advice);
  }
});

test('a server says where it listens, a rival what to change; it reads its settings again', async (t) => {
  const { server, address, adminAddress, directory } = await served(t);
  t.equal((await fetch(`http://${address}/v2/`)).status, 200);
  t.equal((await fetch(`http://${adminAddress}/livez`)).status, 200);
  const rivals = [
    { setting: 'listen', taken: address, yaml: `{listen: "${address}", admin: {listen: 127.0.0.1:0}}` },
    {
      setting: 'admin.listen',
      taken: adminAddress,
      yaml: `{listen: 127.0.0.1:0, admin: {listen: "${adminAddress}"}}`,
    },
  ];
  for (const { setting, taken, yaml } of rivals) {
    const file = join(directory, 'rival.yaml');
    await writeFile(file, yaml);
    const { code, stderr } = await finished(process.execPath, [script, 'serve', '--config', file], {
      mayFail: true,
      cwd: directory,
    });
    t.equal(code, 1);
    t.equal(
      stderr,
      `quayside serve: cannot listen on ${taken} (setting ${setting}): another process listens on this address (EADDRINUSE)\n`,
    );
  }
  await reloaded(t, { server, address, directory });
});

test('a server below an old Node reads its settings again at SIGHUP, goes on, and ends well', async (t) => {
  await reloaded(t, await served(t, ['--import', pretending]));
});

type Served = Awaited<ReturnType<typeof served>>;

/** SIGHUP, then SIGTERM. */
async function reloaded(
  t: Test,
  { server, address, directory }: Pick<Served, 'server' | 'address' | 'directory'>,
): Promise<void> {
  await writeFile(join(directory, 'q.yaml'), `${settings}hosts: { '*': { blobs: bypass } }\n`);
  process.kill(server.pid, 'SIGHUP');
  await server.said('"settings":["hosts[\\"*\\"].blobs"]');
  t.equal((await fetch(`http://${address}/v2/`)).status, 200);
  t.same(await server.stop('SIGTERM'), { code: 0, signal: null });
}

const settings = 'listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\nshutdownDelayMs: 0\n';

/** The real server, on ports of the system's choice, and where its banner says that it listens. */
async function served(t: Test, node: readonly string[] = []) {
  const { directory, start, close } = await stage('program');
  t.teardown(close);
  const file = join(directory, 'q.yaml');
  await writeFile(file, settings);
  const server = await start(process.execPath, [...node, script, 'serve', '--config', file], {
    name: 'quayside',
  });
  const banner = await server.said('docker pull');
  const [address, adminAddress] = banner
    .matchAll(/^ {2}(?:listening|admin) +http:\/\/(\S+)/gm)
    .map(([, found]) => found);
  return { server, address, adminAddress, directory };
}
