import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { finished } from '../support/run-command.ts';

const script = fileURLToPath(new URL('../../bin/quayside.js', import.meta.url));

/** Lets a Node say that it is version 20. The Node that the program may start in turn says what it is. */
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

test('started on an old Node, it runs on its own', async (t) => {
  t.match(await programOnOldNode(script, 'version'), { code: 0, stdout: /^quayside \d/, stderr: '' });
  t.match(await programOnOldNode(script, 'frobnicate'), { code: 2, stderr: /unknown command frobnicate/ });
});

test('started on an old Node without its own, it says what to do', async (t) => {
  const at = join(t.testdir({ 'package.json': '{"type":"module"}', bin: {} }), 'bin', 'quayside.js');
  await cp(script, at);
  const { code, stderr } = await programOnOldNode(at, 'version');
  t.equal(code, 1);
  t.match(stderr, 'quayside: needs Node 24 or newer, and this is v20.19.0.');
  t.match(stderr, `Run "npm ci" in ${dirname(dirname(at))}`);
});
