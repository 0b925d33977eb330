import fs, { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { freshFile, readOnChange, watchFiles } from '../../../src/base/state/watched-file.ts';
import { until } from '../../support/bodies.ts';

/** A watch over the files that counts what it says. */
function watched(t: Test, files: readonly string[]): { count: number } {
  const seen = { count: 0 };
  const watch = watchFiles(files, {
    everyMs: 2,
    changed: async () => {
      seen.count += 1;
    },
  });
  t.teardown(watch.close);
  return seen;
}

test('a file that is written again is told once', async (t) => {
  const file = join(t.testdir({ a: 'one', b: 'one' }), 'a');
  const seen = watched(t, [file, join(t.testdirName, 'b')]);
  await writeFile(file, 'another');
  await until(() => seen.count === 1);
  await writeFile(join(t.testdirName, 'b'), 'another');
  await until(() => seen.count === 2);
});

test('a file that goes and comes back is told both times', async (t) => {
  const file = join(t.testdir({ a: 'one' }), 'a');
  const seen = watched(t, [file]);
  await rm(file);
  await until(() => seen.count === 1);
  await writeFile(file, 'again');
  await until(() => seen.count === 2);
});

test('a mounted secret is another one when its link is', async (t) => {
  const folder = t.testdir({ first: { key: 'same' }, second: { key: 'same' } });
  await symlink('first', join(folder, 'data'));
  const seen = watched(t, [join(folder, 'data', 'key')]);
  await symlink('second', join(folder, 'next'));
  await rename(join(folder, 'next'), join(folder, 'data'));
  await until(() => seen.count === 1);
});

test('what is told takes its time, and is not told again meanwhile', async (t) => {
  const file = join(t.testdir({ a: 'one' }), 'a');
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const watch = watchFiles([file], {
    everyMs: 1,
    changed: () => {
      count += 1;
      return promise;
    },
  });
  t.teardown(watch.close);
  await writeFile(file, 'two');
  await until(() => count === 1);
  await writeFile(file, 'three!');
  await mkdir(join(t.testdirName, 'meanwhile'));
  t.equal(count, 1);
  resolve();
  await until(() => count === 2);
});

test('a file is looked at again after a while, and read again only if it changed', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  let clock = 0;
  let parses = 0;
  const read = readOnChange([file], ([text]) => ({ text, parses: ++parses }), {
    everyMs: 1000,
    now: () => clock,
  });

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
  const read = readOnChange([file], ([text]) => text, { everyMs: 0 });
  t.equal(await read(), 'one');
  await writeFile(file, 'two');
  await utimes(file, 1, 2);
  t.equal(await read(), 'two');
});

test('callers at the same time share one look', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  let parses = 0;
  const read = readOnChange([file], () => ++parses);
  t.same(await Promise.all([read(), read(), read()]), [1, 1, 1]);
});

test('a file that is gone or wrong is a failure, until it is right again', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  const parse = ([text]: readonly string[]): string => {
    if (text === 'bad') throw new Error('bad');
    return text ?? '';
  };
  const plain = readOnChange([file], parse, { everyMs: 0 });
  const failure = (cause: unknown) => new Error('no logins', { cause });
  const own = readOnChange([file], parse, { everyMs: 0, failure });
  t.equal(await plain(), 'one');
  await rm(file);
  await t.rejects(async () => plain(), { code: 'ENOENT' });
  await t.rejects(async () => own(), { message: 'no logins', cause: { code: 'ENOENT' } });
  await writeFile(file, 'bad');
  await t.rejects(async () => plain(), { message: 'bad' });
  await t.rejects(async () => own(), { message: 'no logins', cause: { message: 'bad' } });
  await writeFile(file, 'good');
  t.equal(await plain(), 'good');
  t.equal(await own(), 'good');
});

test('a file that comes while it is looked at, and goes again, is gone', async (t) => {
  const file = join(t.testdir({}), 'secret');
  const { stat } = fs;
  let looks = 0;
  t.teardown(syncBuiltinESMExports);
  t.intercept(fs, 'stat', {
    async value(path: string) {
      looks += 1;
      const found = stat(path, { bigint: true });
      if (looks === 1) await found.catch(() => writeFile(file, 'one'));
      return found;
    },
  });
  syncBuiltinESMExports();
  const read = freshFile(file, (text) => text);
  await Promise.allSettled([read()]);
  await rm(file);
  await t.rejects(async () => read(), { code: 'ENOENT' });
  t.equal(looks, 2);
});

test('a fresh file is looked at each time, and parsed when it changed', async (t) => {
  const file = join(t.testdir({ secret: 'one' }), 'secret');
  let parses = 0;
  const read = freshFile(file, (text) => `${text} ${++parses}`);
  t.equal(await read(), 'one 1');
  t.equal(await read(), 'one 1');
  await writeFile(file, 'other');
  t.equal(await read(), 'other 2');
});
