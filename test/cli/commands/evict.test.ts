import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { evicting } from '../../../src/cli/commands/evict.ts';
import { bytesOf } from '../../../src/oci/content.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { leaseKey } from '../../../src/store/keys.ts';
import type { Store } from '../../../src/store/store.ts';
import { recordedIo } from '../io.ts';

/** A store of three blobs of 10 KiB, and its configuration with an eviction section. */
async function stage(t: Test, eviction: string) {
  const path = t.testdir({});
  const store = createFilesystemStore({ path: join(path, 'store') });
  const digests = ['a', 'b', 'c'].map((letter) => digestOf(Buffer.alloc(10_240, letter)));
  for (const letter of ['a', 'b', 'c']) {
    const bytes = Buffer.alloc(10_240, letter);
    await store.blobs.put({ digest: digestOf(bytes), size: bytes.length }, bytesOf(bytes));
  }
  const file = join(path, 'quayside.yaml');
  await writeFile(file, `store: { filesystem: { path: ${join(path, 'store')} } }\n${eviction}\n`);
  return { store: aged(store), digests, file };
}

/** The store as it looks when everything in it was stored long ago. */
function aged(store: Store): Store {
  return {
    ...store,
    blobs: {
      ...store.blobs,
      async *list(options) {
        for await (const blob of store.blobs.list(options))
          yield { ...blob, storedAt: Date.UTC(2026, 0, 2, 3, 4) };
      },
    },
  };
}

async function evicted(store: Store, args: readonly string[]) {
  let stdout = '';
  const write = (text: string) => {
    stdout += text;
  };
  const io = { ...recordedIo(), stdout: { write }, stderr: { write } };
  const code = await evicting(() => store)(args, io);
  return { code, stdout };
}

async function remaining(store: Store): Promise<number> {
  return (await Array.fromAsync(store.blobs.list())).length;
}

const small = 'eviction: { maxBytes: 25KiB }';

test('it deletes down to the low mark, and prints each deletion and the sum', async (t) => {
  const { store, file } = await stage(t, small);
  const { code, stdout } = await evicted(store, ['--config', file]);
  t.equal(code, 0);
  t.match(stdout, /SIZE +LAST USED +WHY +DIGEST\n +10\.0 KiB {2}2026-01-02 03:04 {2}blob unused +sha256:/);
  t.match(stdout, /Deleted 1 piece, 10\.0 KiB; 20\.0 KiB remain, low-water mark 20\.0 KiB\./);
  t.equal(await remaining(store), 2);
});

test('a dry run prints the same and deletes nothing', async (t) => {
  const { store, file } = await stage(t, small);
  const { code, stdout } = await evicted(store, ['--config', file, '--dry-run']);
  t.equal(code, 0);
  t.match(stdout, /10\.0 KiB {2}2026-01-02 03:04 {2}blob unused +sha256:/);
  t.match(stdout, /Would delete 1 piece/);
  t.equal(await remaining(store), 3);
});

test('--json prints one document', async (t) => {
  const { store, digests, file } = await stage(t, small);
  const { stdout } = await evicted(store, ['--config', file, '--dry-run', '--json']);
  const report = JSON.parse(stdout);
  t.match(report, { outcome: 'planned', blobs: 3, beforeBytes: 30_720, afterBytes: 20_480, isStuck: false });
  t.ok(digests.includes(report.evictions[0].digest));
});

test('below the mark it says so', async (t) => {
  const { store, file } = await stage(t, 'eviction: { maxBytes: 1GiB }');
  const { code, stdout } = await evicted(store, ['--config', file]);
  t.equal(code, 0);
  t.equal(stdout, 'The store holds 30.0 KiB in 3 pieces; eviction starts above 921.6 MiB.\n');
});

test('beside another that evicts it does nothing, and says so', async (t) => {
  const { store, file } = await stage(t, small);
  const lease = Buffer.from(JSON.stringify({ holder: 'another', expiresAt: Date.now() + 60_000 }));
  await store.records.put(leaseKey('eviction'), lease);
  const { code, stdout } = await evicted(store, ['--config', file]);
  t.equal(code, 0);
  t.match(stdout, 'Another process is evicting');
  t.equal(await remaining(store), 3);
});

test('without a size to keep to, or with words it does not know, it says what is wrong', async (t) => {
  const { store, file } = await stage(t, '');
  await t.rejects(evicted(store, ['--config', file]), { message: /eviction\.maxBytes is not set/ });
  await t.rejects(evicted(store, ['everything']), { message: /takes no argument everything/ });
  await t.rejects(evicted(store, ['--dry-rum']), { message: /did you mean --dry-run/ });
});
