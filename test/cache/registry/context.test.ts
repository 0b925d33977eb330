import { test } from 'tap';
import { packedNames } from '../../../src/base/text/packed-names.ts';
import { createTagList } from '../../../src/cache/listings/tag-list.ts';
import { createCacheContext } from '../../../src/cache/registry/context.ts';
import { createBufferPool } from '../../../src/store/buffers.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';

test('listings are remembered within a bound, however large their pages are', async (t) => {
  const quiet = () => undefined;
  const parts = createCacheContext({
    store: createMemoryStore(),
    spool: { path: t.testdir(), maxBytes: 1_000 },
    memory: { maxBytes: 1_000, maxEntryBytes: 100 },
    buffers: createBufferPool(),
    events: {
      read: quiet,
      fillStarted: quiet,
      fillEnded: quiet,
      joined: quiet,
      spoolChanged: quiet,
      repaired: quiet,
      storeFailed: quiet,
    },
  });
  const bytes = Buffer.alloc(7 * 1024 * 1024);
  const list = { ...createTagList(packedNames([])), bytes: 20 * 1024 * 1024 };
  for (let at = 0; at < 10; at += 1) {
    const page = { bytes, mediaType: 'application/json', warnings: [] };
    parts.pages.set(`quay.io/openshift/ci ${at}`, { page, askedAt: 0 });
    parts.tagLists.set(`quay.io/openshift/ci tags?n=${at}`, { page: { list, warnings: [] }, askedAt: 0 });
  }
  t.equal(parts.pages.size, 2);
  t.equal(parts.tagLists.size, 3);
  await parts.close();
});
