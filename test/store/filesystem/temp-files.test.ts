import { spawnSync } from 'node:child_process';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { test } from 'tap';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';

const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);

test('a directory that is not there has nothing to sweep', async (t) => {
  t.equal(await createTempFiles(join(t.testdir(), 'none')).sweep(), 0);
});

test('every path is new, in the directory', async (t) => {
  const temps = createTempFiles('/somewhere/tmp');
  const paths = new Set(Array.from({ length: 100 }, () => temps.newPath()));
  t.equal(paths.size, 100);
  t.ok([...paths].every((path) => dirname(path) === '/somewhere/tmp'));
});

test('what this process writes is never swept, however old', async (t) => {
  const directory = t.testdir();
  const path = createTempFiles(directory).newPath();
  await writeFile(path, '');
  await utimes(path, longAgo, longAgo);
  t.equal(await createTempFiles(directory).sweep(), 0);
  t.same(await readdir(directory), [basename(path)]);
});

test('what dead processes of this host left is swept at once', async (t) => {
  const directory = t.testdir();
  const { pid } = spawnSync('true');
  await writeFile(join(directory, `${hostname()}~${pid}~abc~0123456789abcdef`), '');
  await writeFile(join(directory, `${hostname()}~${process.pid}~abc~0123456789abcdef`), '');
  t.equal(await createTempFiles(directory).sweep(), 2);
  t.same(await readdir(directory), []);
});

test('what a living process of this host writes stays', async (t) => {
  const directory = t.testdir();
  await writeFile(join(directory, `${hostname()}~${process.ppid}~abc~0123456789abcdef`), '');
  t.equal(await createTempFiles(directory).sweep(), 0);
});

test('what another host wrote stays for an hour', async (t) => {
  const directory = t.testdir();
  const [fresh, old] = ['elsewhere~1~abc~01', 'elsewhere~1~abc~02'];
  for (const file of [fresh, old]) await writeFile(join(directory, file), '');
  await utimes(join(directory, old), longAgo, longAgo);
  t.equal(await createTempFiles(directory).sweep(), 1);
  t.same(await readdir(directory), [fresh]);
});

test('files with other names are none of ours', async (t) => {
  const directory = t.testdir({ 'notes.txt': '', 'a~b': '' });
  for (const file of await readdir(directory)) await utimes(join(directory, file), longAgo, longAgo);
  t.equal(await createTempFiles(directory).sweep(), 0);
});
