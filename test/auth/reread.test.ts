import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { reread } from '../../src/auth/reread.ts';

test('a file is looked at again after a while, and read again only if it changed', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  let clock = 0;
  let parses = 0;
  const read = reread([file], ([text]) => ({ text, parses: ++parses }), { everyMs: 1000, now: () => clock });

  const first = await read();
  t.equal(first.text, 'one');
  t.equal(read(), first, 'at once while the look is young');
  clock = 1000;
  t.equal(await read(), first, 'the same value while nothing changed');

  await writeFile(`${file}.new`, 'two');
  await rename(`${file}.new`, file);
  t.equal((await read()).text, 'one', 'believed for its time');
  clock = 2000;
  t.equal((await read()).text, 'two');
  t.equal(parses, 2);
});

test('a change that keeps the size is seen', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  const read = reread([file], ([text]) => text, { everyMs: 0 });
  t.equal(await read(), 'one');
  await writeFile(file, 'two');
  await utimes(file, 1, 2);
  t.equal(await read(), 'two');
});

test('callers at the same time share one look', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  let parses = 0;
  const read = reread([file], () => ++parses);
  t.same(await Promise.all([read(), read(), read()]), [1, 1, 1]);
});

test('a file that is gone or wrong makes the answer unknown, until it is right again', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  const parse = ([text]: readonly string[]): string => {
    if (text === 'bad') throw new Error('bad');
    return text ?? '';
  };
  const read = reread([file], parse, { everyMs: 0 });
  await read();
  await rm(file);
  await t.rejects(async () => read(), { code: 'UNAVAILABLE' });
  await writeFile(file, 'bad');
  await t.rejects(async () => read(), { code: 'UNAVAILABLE', message: /^(?!.*secret)/ });
  await writeFile(file, 'good');
  t.equal(await read(), 'good');
});
