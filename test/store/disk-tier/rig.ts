import { mkdtempSync } from 'node:fs';
import { chmod, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { createDiskTier } from '../../../src/app/store.ts';
import { createVerifiedStore, type VerifiedStore } from '../../../src/cache/blobs/verified-store.ts';
import type { Bytes } from '../../../src/oci/content.ts';
import type { Digest } from '../../../src/oci/digest.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import type { DiskTierEvents } from '../../../src/store/disk-tier/events.ts';
import { blobKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { randomContent, until } from '../../support/bodies.ts';

/** What a bucket in memory does wrong, and when it delivers. */
interface Trouble {
  /** Each call fails. */
  isDown: boolean;
  /** Bodies end here with a failure. */
  breaksAt: number | undefined;
  /** Bodies send their first half, and wait for it. */
  gate: Promise<void> | undefined;
}

/** A bucket that counts: `asked` holds `open` and `stat`, with the first byte where it is not 0. */
function bucket() {
  const memory = createMemoryStore();
  const asked: string[] = [];
  const trouble: Trouble = { isDown: false, breaksAt: undefined, gate: undefined };
  /** As S3: what was asked for is known. */
  const known = new Set<Digest>();
  const called = (what: string): void => {
    asked.push(what);
    if (trouble.isDown) throw new Error('the bucket does not answer');
  };
  const store: Store = {
    ...memory,
    kind: 's3',
    blobs: {
      ...memory.blobs,
      async stat(digest) {
        called('stat');
        known.add(digest);
        return memory.blobs.stat(digest);
      },
      async open(digest, reading) {
        called(reading?.range?.start ? `open ${reading.range.start}` : 'open');
        known.add(digest);
        const content = await memory.blobs.open(digest, reading);
        return content && { ...content, body: troubled(content.body, trouble) };
      },
      knows: (digest) => known.has(digest),
      redirectUrl: async (digest) => `https://bucket/${digest}`,
    },
  };
  return { store, memory, asked, trouble, opens: () => asked.filter((call) => call.startsWith('open')) };
}

async function* troubled(body: Bytes, trouble: Trouble): Bytes {
  let sent = 0;
  for await (const chunk of body) {
    const half = chunk.byteLength >> 1;
    yield chunk.subarray(0, half);
    sent += half;
    await trouble.gate;
    if (trouble.breaksAt !== undefined && sent >= trouble.breaksAt) throw new Error('the bucket broke off');
    yield chunk.subarray(half);
  }
}

/** A disk before such a bucket, in a directory of the test. */
export function diskRig(t: Test, options: { readonly path?: string; readonly maxBytes?: number } = {}) {
  const far = bucket();
  const path = options.path ?? join(temporary(t), 'disk');
  const seen: string[] = [];
  const pending = new Map<unknown, number>();
  const tier = () => {
    const made = createDiskTier(far.store, {
      disk: { path, maxBytes: options.maxBytes ?? 100_000_000 },
      buffers: createBufferPool(),
      events: recordedIn(seen),
    });
    const { files } = made;
    const noted = files.pending.bind(files);
    files.pending = (bytes) => {
      pending.set(files, bytes);
      noted(bytes);
    };
    t.teardown(() => made.store.close());
    return made;
  };
  const made = tier();
  const settled = () =>
    until(() => [...pending.values()].every((bytes) => bytes === 0), 'the end of all reads');
  return {
    store: far.store,
    memory: far.memory,
    asked: far.asked,
    trouble: far.trouble,
    opens: far.opens,
    path,
    seen,
    disk: made.store,
    files: made.files,
    /** Another process on the same directory and bucket. */
    another: tier,
    /** Puts a blob into the bucket alone. */
    async inBucket(size: number) {
      const content = randomContent(size);
      await far.memory.blobs.put(content.descriptor, oneChunk(content.bytes));
      return content;
    },
    /** Puts these bytes on the disk, as what the digest names. */
    async onDisk(digest: Digest, bytes: Uint8Array) {
      const file = join(path, blobKey(digest));
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes);
    },
    /** Reads a blob, or a part of it. */
    read: (digest: Digest, start?: number, end?: number) => readFrom(made.store, digest, start, end),
    /** Resolves once no read of the bucket is under way. */
    settled,
    /** Resolves once the disk has copies of exactly these. */
    async holds(...digests: readonly Digest[]) {
      await holds(path, digests);
      await settled();
    },
  };
}

/** A store that takes nothing for right, and tells no one. */
export function verifiedOver(store: Store): VerifiedStore {
  const events = { repaired: () => {}, storeFailed: () => {} };
  return createVerifiedStore({ store: store.blobs, verifies: 'far', events });
}

/** Flips a bit in the middle of the file, whose size and name stay. */
export async function flipped(path: string): Promise<void> {
  await chmod(path, 0o644);
  const file = await open(path, 'r+');
  try {
    const { size: length } = await file.stat();
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, length >> 1);
    byte[0] = (byte[0] ?? 0) ^ 1;
    await file.write(byte, 0, 1, length >> 1);
  } finally {
    await file.close();
  }
}

export async function readFrom(store: Store, digest: Digest, start?: number, end = start): Promise<Buffer> {
  const range = start === undefined || end === undefined ? {} : { range: { start, end } };
  const content = await store.blobs.open(digest, range);
  if (content === undefined) throw new Error('there is no such blob');
  const chunks: Buffer[] = [];
  for await (const chunk of content.body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function holds(path: string, digests: readonly Digest[]): Promise<void> {
  const wanted = new Set(digests.map((digest) => join(path, blobKey(digest))));
  await until(async () => {
    const files = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
    const found = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
    return found.length === wanted.size && found.every((file) => wanted.has(file));
  }, 'the copies');
}

/** A directory that goes with the test. */
function temporary(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'quayside-disk-'));
  t.teardown(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

async function* oneChunk(bytes: Uint8Array): Bytes {
  yield bytes;
}

function recordedIn(seen: string[]): DiskTierEvents {
  return {
    diskRead: ({ result }) => seen.push(result),
    diskChanged: () => {},
    diskEvicted: () => seen.push('evicted'),
    diskFailed: ({ operation }) => seen.push(`${operation} failed`),
    diskUsabilityChanged: ({ isUsable }) => seen.push(isUsable ? 'usable' : 'unusable'),
  };
}
