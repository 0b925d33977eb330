import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { Subject } from '../../../src/auth/access.ts';
import { createOperators } from '../../../src/auth/clusters/operators.ts';
import type { PathQuestion } from '../../../src/auth/question.ts';
import { RegistryError } from '../../../src/oci/errors.ts';

const token = 'a-token-of-a-file-01';
const forget: PathQuestion = { verb: 'post', path: '/quayside/access/forget' };

async function tokenFile(t: Test, text: string): Promise<string> {
  const file = join(t.testdir(), 'tokens');
  await writeFile(file, text);
  return file;
}

/** A cluster that knows ann, who may read, and no other user. */
function cluster({ isDown = false } = {}) {
  const asked: unknown[] = [];
  const down = new RegistryError('UNAVAILABLE', 'the cluster does not answer');
  return {
    asked,
    async review(shown: string): Promise<Subject | undefined> {
      if (isDown) throw down;
      return shown === 'token-of-ann' ? { name: 'ann', groups: [], cluster: 'app.ci' } : undefined;
    },
    async ask(subject: Subject, question: object) {
      asked.push(question);
      return { allowed: subject.name === 'ann' && 'verb' in question && question.verb === 'get' };
    },
  };
}

test('who holds a token of the file may do everything; each line is one, comments are none', async (t) => {
  const file = await tokenFile(t, `# of the night shift\n\n${token}\r\nanother-token-of-the-file==\n`);
  const { judge } = createOperators({ tokenFile: file });
  const allowed = { kind: 'allowed', name: 'tokenFile' };
  t.same(await judge(token, forget), allowed);
  t.same(await judge('another-token-of-the-file==', forget), allowed);
  for (const wrong of ['', '# of the night shift', token.slice(1), `${token}x`, token.toUpperCase()])
    t.same(await judge(wrong, forget), { kind: 'unknown' }, wrong);
});

test('a token that leaves the file is out, and a new one is in', async (t) => {
  const file = await tokenFile(t, token);
  const { judge } = createOperators({ tokenFile: file, everyMs: 0 });
  t.equal((await judge(token, forget)).kind, 'allowed');
  await writeFile(`${file}.new`, 'the-token-that-follows');
  await rename(`${file}.new`, file);
  t.equal((await judge(token, forget)).kind, 'unknown');
  t.equal((await judge('the-token-that-follows', forget)).kind, 'allowed');
});

test('a file that is gone, or holds what is no token, is neither yes nor no', async (t) => {
  const file = await tokenFile(t, 'short');
  const { judge } = createOperators({ tokenFile: file });
  await t.rejects(judge('short', forget), { code: 'UNAVAILABLE' });
  await rm(file);
  await t.rejects(judge(token, forget), { code: 'UNAVAILABLE' });
});

test('a user of the cluster may what its RBAC grants on the path, read and write apart', async (t) => {
  const known = cluster();
  const { judge } = createOperators({ cluster: known });
  const read = { verb: 'get', path: '/quayside/api/v1/mirrors' };
  t.same(await judge('token-of-ann', read), { kind: 'allowed', name: 'ann' });
  t.same(await judge('token-of-ann', forget), { kind: 'denied', name: 'ann' });
  t.same(await judge('token-of-bob', read), { kind: 'unknown' });
  t.same(known.asked, [read, forget]);
});

test('a failing source of operators neither blocks those of the other, nor admits any', async (t) => {
  const file = await tokenFile(t, token);
  const silent = createOperators({ tokenFile: file, cluster: cluster({ isDown: true }) });
  t.equal((await silent.judge(token, forget)).kind, 'allowed');
  await t.rejects(silent.judge('token-of-ann', forget), { code: 'UNAVAILABLE' });
  const gone = createOperators({ tokenFile: `${file}.gone`, cluster: cluster() });
  t.equal((await gone.judge('token-of-ann', { ...forget, verb: 'get' })).kind, 'allowed');
  await t.rejects(gone.judge(token, forget), { code: 'UNAVAILABLE' });
});
