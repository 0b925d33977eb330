import { test } from 'tap';
import type { OpenedBlob } from '../../../src/cache/blobs/pulled-blobs.ts';
import { createRedirect } from '../../../src/proxy/pull/blob-modes.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { randomContent } from '../../support/bodies.ts';

const { descriptor } = randomContent(10);
const blob = (hit: OpenedBlob['hit']): OpenedBlob => ({ descriptor, hit, read: async function* () {} });
const url = 'https://s3.example/blob?signature=x';
const store = { ...createMemoryStore().blobs, redirectUrl: async () => url };

test('clients of the networks named are sent to the store, in either notation', async (t) => {
  const redirect = createRedirect({ networks: ['10.0.0.0/8', '2001:db8::/32'] }, store, () => undefined);
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::1'])
    t.equal(await redirect?.(blob('store'), address), url, address);
  for (const address of ['11.1.2.3', '::1', '2001:db9::1'])
    t.equal(await redirect?.(blob('store'), address), undefined, address);
});

test('only what is read from the store is worth a redirect', async (t) => {
  const redirect = createRedirect('always', store, () => undefined);
  for (const hit of ['memory', 'fill', 'joined', 'upstream'] as const)
    t.equal(await redirect?.(blob(hit), '10.0.0.1'), undefined, hit);
  t.equal(await createRedirect('never', store, () => undefined)?.(blob('store'), '10.0.0.1'), undefined);
  t.equal(
    createRedirect('always', createMemoryStore().blobs, () => undefined),
    undefined,
  );
});

test('a store that cannot sign costs no pull: we serve the blob ourselves', async (t) => {
  const failures: unknown[] = [];
  const redirectUrl = () => Promise.reject(new Error('no credentials'));
  const redirect = createRedirect('always', { ...store, redirectUrl }, (error) => failures.push(error));
  t.equal(await redirect?.(blob('store'), '10.0.0.1'), undefined);
  t.match(failures, [{ message: 'no credentials' }]);
});
