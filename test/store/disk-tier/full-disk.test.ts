import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { type Test, test } from 'tap';
import { blobKey } from '../../../src/store/keys.ts';
import { readAll, until } from '../../support/bodies.ts';
import { diskRig } from './rig.ts';

const size = 900_000;

/** Every write of a file fails as on a full disk once so many bytes are written. */
async function fullAfter(t: Test, bytes: number): Promise<{ restore(): void }> {
  const handle = await open('/dev/null', 'r');
  const shared: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  let written = 0;
  const { write } = shared;
  const failing = mock.method(shared, 'write', async function (this: FileHandle, ...args: never[]) {
    const { bytesWritten, ...rest } = await Reflect.apply(write, this, args);
    written += bytesWritten;
    if (written > bytes) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    return { bytesWritten, ...rest };
  });
  const restore = (): void => failing.mock.restore();
  t.teardown(restore);
  return { restore };
}

for (const at of [0, 1, 512 * 1024 + 1, size - 1])
  test(`a disk that is full after ${at} bytes of a copy costs the reader no byte, and leaves nothing`, async (t) => {
    const rig = diskRig(t);
    const { bytes, descriptor } = await rig.inBucket(size);
    const { restore } = await fullAfter(t, at);
    const readers = [rig.read(descriptor.digest), rig.read(descriptor.digest, 0, size - 1)];
    for (const read of await Promise.all(readers)) t.ok(bytes.equals(read));
    await rig.settled();
    restore();
    await rig.holds();
    t.ok(rig.seen.includes('unusable'));
    t.equal(await rig.files.isUsable(), true);
    t.ok(bytes.equals(await rig.read(descriptor.digest)));
    await rig.holds(descriptor.digest);
  });

test('a disk that is full when a copy is complete costs the reader no byte, and leaves nothing', async (t) => {
  const rig = diskRig(t);
  const { bytes, descriptor } = await rig.inBucket(size);
  const handle = await open('/dev/null', 'r');
  const shared: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const full = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }));
  const failing = mock.method(shared, 'sync', full);
  t.teardown(() => failing.mock.restore());
  t.ok(bytes.equals(await rig.read(descriptor.digest)));
  await rig.settled();
  failing.mock.restore();
  await rig.holds();
  t.ok(rig.seen.includes('unusable'));
  t.equal(await rig.files.isUsable(), true);
  t.ok(bytes.equals(await rig.read(descriptor.digest)));
  await rig.holds(descriptor.digest);
});

test('half a blob of a full disk and half of the bucket are not taken for one that is right', async (t) => {
  const rig = diskRig(t);
  const { descriptor } = await rig.inBucket(3_000_000);
  const { restore } = await fullAfter(t, 512 * 1024 + 1);
  const { open: read } = rig.store.blobs;
  let opens = 0;
  Object.assign(rig.store.blobs, {
    open: async (...args: Parameters<typeof read>) => {
      opens += 1;
      const content = await read(...args);
      return opens === 1 || content === undefined ? content : { ...content, body: turned(content.body) };
    },
  });
  const content = await rig.disk.blobs.open(descriptor.digest);
  const { bytes, error } = await readAll(content?.body ?? turned([]));
  restore();
  t.match(error, { code: 'UPSTREAM_INVALID' });
  t.ok(bytes.byteLength < descriptor.size);
  t.ok(opens > 1);
});

async function* turned(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  for await (const chunk of body) yield chunk.map((byte) => byte ^ 1);
}

const [mount, unmount] = ['mount', 'umount'] as const;

/** A file system of its own, which can really be full; undefined where none may be mounted. */
function smallDisk(t: Test, bytes: number): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'quayside-small-'));
  try {
    execFileSync(mount, ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    return undefined;
  }
  t.teardown(async () => {
    execFileSync(unmount, ['-l', directory], { stdio: 'ignore' });
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

test('a small file system that others have filled is used again once they leave it', async (t) => {
  const mounted = smallDisk(t, 2 * 1024 * 1024);
  if (mounted === undefined) return;
  const rig = diskRig(t, { path: join(mounted, 'disk') });
  const { bytes, descriptor } = await rig.inBucket(size);
  await writeFile(join(mounted, 'ballast'), Buffer.alloc(1_600_000));
  t.ok(bytes.equals(await rig.read(descriptor.digest)));
  await rig.settled();
  await rig.holds();
  t.ok(rig.seen.includes('unusable'));
  await rm(join(mounted, 'ballast'));
  t.equal(await rig.files.isUsable(), true);
  t.ok(bytes.equals(await rig.read(descriptor.digest)));
  await rig.holds(descriptor.digest);
  t.equal((await stat(join(rig.path, blobKey(descriptor.digest)))).size, size);
});

test('what a process of another host left behind goes within a day, and not before it is an hour old', async (t) => {
  const rig = diskRig(t);
  const directory = join(rig.path, 'tmp');
  await mkdir(directory, { recursive: true });
  const left = join(directory, 'other-host~1~abc~0123');
  await writeFile(left, 'half a blob');
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  await rig.disk.sweep();
  t.same(await readdir(directory), ['other-host~1~abc~0123']);
  const hoursAgo = Date.now() / 1000 - 7_200;
  await utimes(left, hoursAgo, hoursAgo);
  mock.timers.tick(86_400_000);
  await until(async () => (await readdir(directory)).length === 0, 'the sweep');
});

test('copies under way take their room from those that are there', async (t) => {
  const rig = diskRig(t, { maxBytes: 2 * size });
  const { descriptor } = await rig.inBucket(size);
  await rig.read(descriptor.digest);
  await rig.holds(descriptor.digest);
  rig.files.pending(size);
  rig.files.pending(0);
  await rig.holds(descriptor.digest);
  rig.files.pending(size + 1);
  rig.files.pending(0);
  await rig.holds();
});
