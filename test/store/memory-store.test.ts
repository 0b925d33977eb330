import { test } from 'tap';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { described, patterned, pieces, storeSuite } from './store-suite.ts';

storeSuite('memory', async () => createMemoryStore());

test('a full memory refuses, and has room again after a delete', async (t) => {
  const { blobs } = createMemoryStore({ maxBytes: 1000 });
  const [first, second] = [patterned(600), patterned(601)];
  await blobs.put(described(first), pieces(first));
  await t.rejects(blobs.put(described(second), pieces(second)), { code: 'UNAVAILABLE' });
  await blobs.delete(described(first).digest);
  await t.resolves(blobs.put(described(second), pieces(second)));
});
