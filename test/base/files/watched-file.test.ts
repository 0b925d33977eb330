import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { fileWatch } from '../../../src/base/files/watched-file.ts';
import { until } from '../../support/bodies.ts';

/** A watch over the files that counts what it says. */
function watched(t: Test, files: readonly string[]): { count: number } {
  const seen = { count: 0 };
  const watch = fileWatch(files, {
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
  const watch = fileWatch([file], {
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
