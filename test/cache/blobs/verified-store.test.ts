import { test } from 'tap';
import { createVerifiedStore } from '../../../src/cache/blobs/verified-store.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import type { ByteSink, StoredFile } from '../../../src/store/stored-file.ts';
import { randomContent } from '../../support/bodies.ts';

const { descriptor } = randomContent(10);
const sink: ByteSink = { write: () => {} };
const here = new AbortController().signal;

test('a disk that cannot be read while a file is sent is told, and a client that fails is not', async (t) => {
  const told: unknown[] = [];
  const events = { repaired: () => {}, storeFailed: ({ error }: { error: unknown }) => told.push(error) };
  const unreadable = new RegistryError('UNAVAILABLE', 'the store cannot be read');
  let failure: unknown = unreadable;
  const file: StoredFile = { sendTo: () => Promise.reject(failure), close: () => {} };
  const { blobs } = createMemoryStore();
  const copies = createVerifiedStore({ store: { ...blobs, openFile: async () => file }, events });
  copies.markVerified(descriptor);
  const opened = await copies.openFile(descriptor);
  const range = { start: 0, end: 9 };
  await t.rejects(opened?.sendTo(sink, range, here) ?? Promise.resolve(), { code: 'UNAVAILABLE' });
  t.same(told, [unreadable]);
  failure = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  await t.rejects(opened?.sendTo(sink, range, here) ?? Promise.resolve(), { code: 'EPIPE' });
  t.same(told, [unreadable]);
});
