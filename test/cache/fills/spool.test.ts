import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { createSpool, type SpoolFile } from '../../../src/cache/fills/spool.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';
import { until } from '../../support/bodies.ts';

const unheard = { progressed: () => undefined, gaveWay: () => undefined };

test('the cause of a spool directory that takes no file is told once, and so is that it does again', async (t) => {
  const parent = join(t.testdir({ parent: 'a file' }), 'parent');
  const directory = join(parent, 'spool');
  const changes: unknown[] = [];
  const spool = createSpool({
    directory,
    maxBytes: 1_000,
    files: createTempFiles(directory),
    buffers: createBufferPool(),
    changed: () => undefined,
    usabilityChanged: (isUsable, error) => changes.push({ isUsable, error }),
  });
  for (let time = 0; time < 2; time += 1) t.equal(await spool.file(10, unheard), 'unwritable');
  t.match(changes, [{ isUsable: false, error: { code: 'ENOTDIR' } }]);
  t.equal(changes.length, 1);
  await rm(parent);
  await mkdir(parent);
  const file = await spool.file(10, unheard);
  if (typeof file === 'string') throw new Error(`no file: ${file}`);
  t.equal(changes.length, 1);
  await file.append(new Uint8Array(10));
  await file.flush();
  await file.release();
  t.match(changes[1], { isUsable: true });
});

test('a file that could not be written is not taken for whole because it gave way after that', async (t) => {
  const mib = 1024 * 1024;
  const directory = t.testdir();
  const changes: unknown[] = [];
  const spool = createSpool({
    directory,
    maxBytes: 4 * mib,
    files: createTempFiles(directory),
    buffers: createBufferPool(),
    changed: () => undefined,
    usabilityChanged: (isUsable, error) => changes.push({ isUsable, error }),
  });
  const gaveWay: string[] = [];
  const file = async (name: string): Promise<SpoolFile> => {
    const made = await spool.file(2 * mib, { ...unheard, gaveWay: () => void gaveWay.push(name) });
    if (typeof made === 'string') throw new Error(`no file: ${made}`);
    t.teardown(() => made.release());
    return made;
  };
  const handle = await open(join(directory, 'handle'), 'w');
  const write = mock.method(Object.getPrototypeOf(handle), 'write');
  t.teardown(() => write.mock.restore());
  await handle.close();
  write.mock.mockImplementationOnce(() => Promise.reject(new Error('the disk is full')));
  const first = await file('first');
  await first.append(new Uint8Array(100));
  await until(() => write.mock.callCount() === 1);
  await turn();
  t.match(changes, [{ isUsable: false, error: { message: 'the disk is full' } }]);
  for (const other of [await file('second'), await file('third')])
    await other.append(new Uint8Array(2 * mib));
  t.same(gaveWay, ['first']);
  await t.rejects(first.flush(), { name: 'SpoolError' });
});

test('a file whose room goes to another while it is opened gives way', async (t) => {
  const mib = 1024 * 1024;
  const directory = t.testdir();
  const files = createTempFiles(directory);
  const newPath = files.newPath.bind(files);
  let opening = (): void => undefined;
  Object.assign(files, {
    newPath(): string {
      opening();
      return newPath();
    },
  });
  const spool = createSpool({
    directory,
    maxBytes: 4 * mib,
    files,
    buffers: createBufferPool(),
    changed: () => undefined,
  });
  const file = async (size: number): Promise<SpoolFile> => {
    const made = await spool.file(size, unheard);
    if (typeof made === 'string') throw new Error(`no file: ${made}`);
    t.teardown(() => made.release());
    return made;
  };
  const others = [await file(2 * mib), await file(2 * mib)];
  let taken: Promise<unknown> | undefined;
  opening = () => {
    taken = Promise.all(others.map((other) => other.append(new Uint8Array(2 * mib))));
  };
  const late = await file(2 * mib);
  await taken;
  await t.rejects(late.append(new Uint8Array(1)), { name: 'SpoolError', why: 'spool-full' });
});
