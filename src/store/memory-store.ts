import { abortable } from '../base/flow/abortable.ts';
import {
  bytesOf,
  type Content,
  collected,
  type Descriptor,
  type ReadOptions,
  verified,
} from '../oci/content.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Records } from './records.ts';
import type { CachedBlobs, Store } from './store.ts';

interface MemoryStoreOptions {
  /** Most bytes of all blobs; a put beyond it throws `UNAVAILABLE`. Default: no limit. */
  readonly maxBytes?: number;
}

/** A store that forgets: for tests, and for a cache that need not survive its process. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  return {
    kind: 'memory',
    blobs: memoryBlobs(options.maxBytes ?? Number.POSITIVE_INFINITY),
    records: memoryRecords(),
    isUsable: async () => true,
    sweep: async () => 0,
    close: async () => {},
  };
}

function memoryBlobs(maxBytes: number): CachedBlobs {
  const kept = new Map<Digest, { readonly bytes: Uint8Array; readonly storedAt: number }>();
  let total = 0;

  function forget(digest: Digest): void {
    total -= kept.get(digest)?.bytes.byteLength ?? 0;
    kept.delete(digest);
  }

  return {
    async stat(digest) {
      const found = kept.get(digest);
      return found && { digest, size: found.bytes.byteLength };
    },
    async open(digest, options) {
      const found = kept.get(digest);
      return found && memoryContent({ digest, size: found.bytes.byteLength }, found.bytes, options);
    },
    async put(descriptor, bytes, options) {
      if (total + descriptor.size > maxBytes) throw full(descriptor);
      const whole = await collected(verified(abortable(bytes, options?.signal), descriptor), descriptor.size);
      forget(descriptor.digest);
      if (total + whole.byteLength > maxBytes) throw full(descriptor);
      kept.set(descriptor.digest, { bytes: whole, storedAt: Date.now() });
      total += whole.byteLength;
    },
    async delete(digest) {
      forget(digest);
    },
    async *list({ after = '' } = {}) {
      for (const [digest, { bytes, storedAt }] of [...kept].sort(([a], [b]) => (a < b ? -1 : 1)))
        if (digest > after) yield { digest, size: bytes.byteLength, storedAt };
    },
  };
}

function memoryRecords(): Records {
  const kept = new Map<string, { readonly bytes: Uint8Array; readonly version: string; writtenAt: number }>();
  return {
    async get(key) {
      const found = kept.get(key);
      return found && { bytes: new Uint8Array(found.bytes), version: found.version };
    },
    async put(key, bytes, condition = {}) {
      const held = kept.get(key)?.version ?? 'absent';
      if (condition.ifVersion !== undefined && condition.ifVersion !== held) return undefined;
      const version = digestOf(bytes);
      kept.set(key, { bytes: new Uint8Array(bytes), version, writtenAt: Date.now() });
      return version;
    },
    async delete(key) {
      kept.delete(key);
    },
    async *list(prefix) {
      for (const [key, { bytes, writtenAt }] of kept) {
        if (key.startsWith(prefix)) yield { key, size: bytes.byteLength, writtenAt };
      }
    },
  };
}

function memoryContent(descriptor: Descriptor, whole: Uint8Array, options: ReadOptions = {}): Content {
  const { range, signal } = options;
  const part = range === undefined ? whole : whole.subarray(range.start, range.end + 1);
  return {
    descriptor,
    ...(range === undefined ? {} : { range }),
    body: abortable(bytesOf(part), signal),
    close: async () => {},
  };
}

function full(descriptor: Descriptor): RegistryError {
  return new RegistryError('UNAVAILABLE', 'the store is full', { detail: { size: descriptor.size } });
}
