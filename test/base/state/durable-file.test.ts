import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { abortable } from '../../../src/base/flow/abortable.ts';
import { codeOf, createDisk, hasCode } from '../../../src/base/state/durable-file.ts';

const disk = createDisk({
  failure: (doing, cause) => new Error(`${doing}: ${codeOf(cause)}`, { cause }),
});

async function* bytes(...texts: readonly string[]) {
  for (const text of texts) yield Buffer.from(text);
}

test('a file is written whole, its directories too, and replaces another one', async (t) => {
  const path = join(t.testdir(), 'a', 'b', 'file');
  const temporary = join(t.testdirName, 'tmp', 'one');
  await disk.writeNew(temporary, bytes('one', ' two'), 0o600);
  t.equal((await stat(temporary)).mode & 0o777, 0o600);
  await disk.publish(temporary, path);
  t.equal(await readFile(path, 'utf8'), 'one two');
  await disk.writeNew(temporary, bytes('three'));
  await disk.publish(temporary, path);
  t.equal(await readFile(path, 'utf8'), 'three');
});

test('failures are those of the owner, with what was done and the system code below', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file');
  await t.rejects(disk.read(readFile(t.testdirName)), { message: 'read: EISDIR' });
  await t.rejects(disk.writeNew(file, bytes('')), { message: 'write: EEXIST' });
  await t.rejects(disk.publish(file, join(file, 'below')), { message: 'write: ENOTDIR' });
  const failure = await disk.write(mkdir(file)).catch((error: unknown) => error);
  t.ok(hasCode(new Error('above', { cause: failure }), 'ENOENT', 'EEXIST'));
  t.notOk(hasCode(failure, 'ENOENT'));
});

test('a failure of the bytes passes as it is', async (t) => {
  const broken = new Error('the source broke');
  const source = (async function* () {
    yield Buffer.from('some');
    throw broken;
  })();
  await t.rejects(disk.writeNew(join(t.testdir(), 'file'), source), broken);
});

test('what is not there is undefined, and which codes say so can be chosen', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file');
  t.equal(await disk.ifPresent(readFile(join(t.testdirName, 'none'))), undefined);
  t.equal(await disk.ifPresent(readFile(join(file, 'below'))), undefined);
  await t.rejects(disk.ifPresent(readFile(t.testdirName)), { message: 'read: EISDIR' });
  const lenient = createDisk({ failure: () => new Error('failed'), absentCodes: ['EISDIR'] });
  t.equal(await lenient.ifPresent(readFile(t.testdirName)), undefined);
});

test('directories that are made at the same time are made once, with the mode that was set', async (t) => {
  const own = createDisk({ failure: () => new Error('failed'), directoryMode: 0o700 });
  const path = join(t.testdir(), 'a', 'b');
  await Promise.all([own.makeDirectory(path), own.makeDirectory(path), own.makeDirectory(path)]);
  t.equal((await stat(path)).mode & 0o777, 0o700);
});

test('bytes end with the reason of the signal', async (t) => {
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of abortable(bytes('one', 'two'), stop.signal)) {
      seen.push(chunk.toString());
      stop.abort(new Error('the client left'));
    }
  })();
  await t.rejects(reading, { message: 'the client left' });
  t.same(seen, ['one']);
  await writeFile(join(t.testdir(), 'file'), abortable(bytes('one', 'two'), undefined));
  t.equal(await readFile(join(t.testdirName, 'file'), 'utf8'), 'onetwo');
});
