import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { createSpool } from '../../../src/cache/fills/spool.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createTempFiles } from '../../../src/store/filesystem/temp-files.ts';

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
  await file.release();
  t.match(changes[1], { isUsable: true });
});
