import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs, { mkdir, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { described, large, pieces, storeSuite, whole } from '../store-suite.ts';

storeSuite('filesystem', async (t) => createFilesystemStore({ path: join(t.testdir(), 'store') }));
storeSuite('filesystem', async (t) =>
  createFilesystemStore({ path: join(t.testdir(), 'store'), mayBlock: true }),
);

function made(t: Test) {
  const path = t.testdir();
  return { path, ...createFilesystemStore({ path }) };
}

const blob = described(large);

test('what one process stored another one finds', async (t) => {
  const { path, blobs, records } = made(t);
  await blobs.put(blob, pieces(large));
  const version = await records.put('v1/leases/x', Buffer.from('1'));
  const later = createFilesystemStore({ path });
  t.same(await later.blobs.stat(blob.digest), blob);
  t.equal((await later.records.get('v1/leases/x'))?.version, version);
});

test('a refused put leaves no file behind', async (t) => {
  const { path, blobs } = made(t);
  await t.rejects(blobs.put(blob, pieces(large.subarray(1))), { code: 'UPSTREAM_INVALID' });
  t.same(await readdir(join(path, 'tmp')), []);
});

test('a process killed in the middle of a put leaves nothing visible, and a sweep takes the rest', async (t) => {
  const { path, blobs, sweep } = made(t);
  const killed = spawnSync(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { createFilesystemStore } from ${JSON.stringify(new URL('../../../src/store/filesystem/filesystem-store.ts', import.meta.url))};
     async function* half() { yield Buffer.alloc(100_000); process.kill(process.pid, 'SIGKILL'); yield Buffer.alloc(1); }
     await createFilesystemStore({ path: ${JSON.stringify(path)} }).blobs.put(${JSON.stringify(blob)}, half());`,
  ]);
  t.equal(killed.signal, 'SIGKILL');
  t.equal((await readdir(join(path, 'tmp'))).length, 1);
  t.equal(await blobs.stat(blob.digest), undefined);
  t.equal(await sweep(), 1);
  await blobs.put(blob, pieces(large));
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
});

test('a verified file is adopted by its name, without a copy', async (t) => {
  const { path, blobs } = made(t);
  const file = join(path, 'spooled');
  await writeFile(file, large);
  const { ino } = await stat(file);
  t.equal(await blobs.adopt(blob, file), true);
  t.equal((await stat(join(path, blobKey(blob.digest)))).ino, ino);
  await t.rejects(stat(file), { code: 'ENOENT' });
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
});

test('a file of another size is not adopted, and stays', async (t) => {
  const { path, blobs } = made(t);
  const file = join(path, 'spooled');
  await writeFile(file, large.subarray(1));
  t.equal(await blobs.adopt(blob, file), false);
  t.equal((await stat(file)).size, large.byteLength - 1);
  t.equal(await blobs.stat(blob.digest), undefined);
});

test('a file of another file system is not adopted, and stays', async (t) => {
  const { path, blobs } = made(t);
  const elsewhere = await stat('/dev/shm').catch(() => undefined);
  if (elsewhere === undefined || elsewhere.dev === (await stat(path)).dev) {
    t.comment('only one file system here');
    return;
  }
  const file = join('/dev/shm', `quayside-test-${process.pid}`);
  await writeFile(file, large);
  t.teardown(() => rm(file));
  t.equal(await blobs.adopt(blob, file), false);
  t.equal((await stat(file)).size, large.byteLength);
});

test('a blob that is cut off while it is read throws, and never ends normally', async (t) => {
  const { path, blobs } = made(t);
  await blobs.put(blob, pieces(large));
  const content = await blobs.open(blob.digest);
  await truncate(join(path, blobKey(blob.digest)), 2_000_000);
  await t.rejects(whole(content), { code: 'UPSTREAM_INVALID' });
});

test('a range past the end of a cut-off blob throws', async (t) => {
  const { path, blobs } = made(t);
  await blobs.put(blob, pieces(large));
  await truncate(join(path, blobKey(blob.digest)), 2_000_000);
  t.match(await blobs.stat(blob.digest), { size: 2_000_000 });
  const content = await blobs.open(blob.digest, { range: { start: 1_999_999, end: blob.size - 1 } });
  await t.rejects(whole(content), { code: 'UPSTREAM_INVALID' });
});

test('a blob is repaired by putting it again', async (t) => {
  const { path, blobs } = made(t);
  await blobs.put(blob, pieces(large));
  await truncate(join(path, blobKey(blob.digest)), 1);
  await blobs.put(blob, pieces(large));
  t.ok(large.equals(await whole(await blobs.open(blob.digest))));
});

test('no file stays open after a body was read, left, aborted or closed', async (t) => {
  const { blobs } = made(t);
  await blobs.put(blob, pieces(large));
  const before = await openFiles();
  const reader = new AbortController();
  const [read, left, closed] = [
    await blobs.open(blob.digest),
    await blobs.open(blob.digest),
    await blobs.open(blob.digest),
  ];
  const aborted = await blobs.open(blob.digest, { signal: reader.signal });
  await whole(read);
  for await (const _ of left?.body ?? []) break;
  reader.abort();
  await t.rejects(whole(aborted));
  await closed?.close();
  t.equal(await openFiles(), before);
});

test('a store that cannot be written or read says so, with the reason as cause', async (t) => {
  const path = join(t.testdir({ file: 'not a directory' }), 'file');
  const told: unknown[] = [];
  const events = { usabilityChanged: (event: unknown) => void told.push(event) };
  const { blobs, records, isUsable } = createFilesystemStore({ path, events });
  const refusal = { code: 'UNAVAILABLE', cause: { code: /^E/ } };
  await t.rejects(blobs.put(blob, pieces(large)), refusal);
  await t.rejects(records.put('v1/leases/x', large), refusal);
  for (let time = 0; time < 2; time += 1) t.equal(await isUsable(), false);
  t.equal(told.length, 1, 'the cause is told once, not by each probe');
  t.match(told, [{ isUsable: false, error: { cause: { code: /^E/ } } }]);
});

test('a disk that takes no more refuses a put, keeps nothing, and says why', async (t) => {
  const { path } = made(t);
  // A limit of the file's size is a full disk without root; tap's own hooks in NODE_OPTIONS would
  // die of its signal.
  const limited = spawnSync('sh', [
    '-c',
    'unset NODE_OPTIONS; ulimit -f 100; trap "" XFSZ; exec "$0" --input-type=module --eval "$1"',
    process.execPath,
    `import { createFilesystemStore } from ${JSON.stringify(new URL('../../../src/store/filesystem/filesystem-store.ts', import.meta.url))};
     async function* bytes() { for (let n = 0; n < 10; n++) yield Buffer.alloc(100_000); }
     const descriptor = { ...${JSON.stringify(blob)}, size: 1_000_000 };
     await createFilesystemStore({ path: ${JSON.stringify(path)} }).blobs.put(descriptor, bytes()).catch((error) => {
       console.log(error.code, error.cause.code);
     });`,
  ]);
  t.equal(limited.stdout.toString().trim(), 'UNAVAILABLE EFBIG');
  t.same(await readdir(join(path, 'tmp')), []);
});

test('a key that leads out of the store is refused', async (t) => {
  const { records } = made(t);
  for (const key of ['v1/../x', 'v1//x', '/etc/passwd', 'v1/.x', 'v2/x', `v1/${'x'.repeat(256)}`]) {
    await t.rejects(async () => records.put(key, large), { code: 'UNKNOWN' }, key);
  }
});

test('a lock that a dead process left is broken after 10 s', async (t) => {
  const { path, records } = made(t);
  await records.put('v1/leases/x', large);
  const lock = join(path, 'locks', createHash('sha256').update('v1/leases/y').digest('hex'));
  await mkdir(join(path, 'locks'));
  await writeFile(lock, '');
  const leftAt = Date.now() / 1000 - 11;
  await utimes(lock, leftAt, leftAt);
  t.type(await records.put('v1/leases/y', large, { ifVersion: 'absent' }), 'string');
  t.same(await readdir(join(path, 'locks')), []);
});

async function openFiles(): Promise<number> {
  return (await readdir('/proc/self/fd')).length;
}

test('a directory in which no file can be deleted is not usable', async (t) => {
  const told: unknown[] = [];
  const events = { usabilityChanged: (event: unknown) => void told.push(event) };
  const { isUsable } = createFilesystemStore({ path: t.testdir(), events });
  t.teardown(syncBuiltinESMExports);
  t.intercept(fs, 'rm', { value: () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' })) });
  syncBuiltinESMExports();
  t.equal(await isUsable(), false);
  t.match(told, [{ isUsable: false, error: { code: 'EPERM' } }]);
});
