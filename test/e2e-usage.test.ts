import { test } from 'tap';
import { e2e } from './e2e/command.ts';

async function answered(...args: string[]) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const lines = {
    log: (line: string) => void stdout.push(`${line}\n`),
    error: (line: string) => void stderr.push(`${line}\n`),
  };
  const code = await e2e(args, AbortSignal.abort(), lines);
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}

test('npm run e2e says how it is used, and which scenarios there are', async (t) => {
  t.match(await answered('--help'), { code: 0, stdout: /^npm run e2e .*--no-skip .*skopeo/s, stderr: '' });
});

test('npm run e2e says in two lines what it does not understand', async (t) => {
  const { code, stderr } = await answered('--nonsense');
  t.equal(code, 2);
  t.match(stderr, /^unknown option --nonsense.*\n.*--help.*\n$/);
  t.match(await answered('nothing'), { code: 2, stderr: /^no scenario nothing; there are: fresh,/ });
});
