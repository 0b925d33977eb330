import { test } from 'tap';
import { memoryStore } from '../../src/store/memory-store.ts';
import { described, patterned, pieces, storeSuite } from './store-suite.ts';

storeSuite('memory', async () => memoryStore());

test('a full memory refuses, and has room again after a delete', async (t) => {
  const { blobs } = memoryStore({ maxBytes: 1000 });
  const [first, second] = [patterned(600), patterned(601)];
  await blobs.put(described(first), pieces(first));
  await t.rejects(blobs.put(described(second), pieces(second)), { code: 'UNAVAILABLE' });
  await blobs.delete(described(first).digest);
  await t.resolves(blobs.put(described(second), pieces(second)));
});
