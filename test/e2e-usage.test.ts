import { join } from 'node:path';
import { test } from 'tap';
import { finished } from './support/run-command.ts';

const e2e = (...args: string[]) =>
  finished(process.execPath, [join(import.meta.dirname, 'e2e/run.ts'), ...args], { mayFail: true });

test('npm run e2e says how it is used, and which scenarios there are', async (t) => {
  t.match(await e2e('--help'), { code: 0, stdout: /^npm run e2e .*--no-skip .*skopeo/s, stderr: '' });
});

test('npm run e2e says in two lines what it does not understand', async (t) => {
  const { code, stderr } = await e2e('--nonsense');
  t.equal(code, 2);
  t.match(stderr, /^unknown option --nonsense.*\n.*--help.*\n$/);
  t.match(await e2e('nothing'), { code: 2, stderr: /^no scenario nothing; there are: fresh,/ });
});
