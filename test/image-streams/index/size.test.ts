import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import { StreamBook } from '../../../src/image-streams/index/stream-book.ts';
import { decoded, encoded } from '../../../src/image-streams/index/stream-copy.ts';
import { parseDigest } from '../../../src/oci/digest.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { until } from '../../support/bodies.ts';
import { imageStreamDouble } from '../../support/image-stream-double.ts';
import { digestOfItem, putManyStreams } from '../../support/many-streams.ts';
import { indexRig } from './rig.ts';

const repository = parseRepository('openshift/ci');

function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function emptyBook(): StreamBook {
  return new StreamBook({
    placeOf: () => ({ upstream: 'quay.io', repository }),
    formerMs: () => 86_400_000,
    isTrusted: () => true,
  });
}

/** 130 streams of 100 tags, as app.ci has; the bench has 25 items in each, `npm test` has 5. */
const size = { streams: 130, tags: 100, items: 5 };

test('65,000 digests of 13,000 tags take less than 20 MB, here and from a copy', async (t) => {
  const before = usedBytes();
  const book = emptyBook();
  putManyStreams(
    {
      putObject(key, body) {
        const [namespace = '', name = ''] = key.split('/');
        book.saw(JSON.parse(JSON.stringify({ metadata: { namespace, name, uid: key }, ...body })));
      },
    },
    size,
  );
  const bytes = usedBytes() - before;
  t.match(book.size, { streams: 130, tags: 13_000, digests: 65_000, references: 65_000 });
  t.ok(bytes < 20e6, `${bytes} bytes`);
  const [first] = [...book.streams()];
  const copy = first && book.copy(first);
  const record = await encoded(copy === undefined ? [] : [copy], 'settings');
  t.ok(record.length < 60 * 500, `${record.length} bytes for 500 digests`);
  const restored = emptyBook();
  for (const each of await decoded(record, 'settings')) restored.restore(each);
  t.equal(restored.size.digests, 500);
});

test('an index follows many streams over HTTP, and a restart knows them without the cluster', async (t) => {
  const api = await imageStreamDouble();
  t.teardown(() => api.close());
  putManyStreams(api, { streams: 20, tags: 50, items: 10 });
  const { records } = createMemoryStore();
  const place = { upstream: 'quay.io', repository };
  const found = (rig: Awaited<ReturnType<typeof indexRig>>) =>
    rig.index.naming(place, parseDigest(digestOfItem(7, 11, 3)));
  const names = { 'quay-proxy.ci.openshift.org': undefined };
  const first = await indexRig(t, { api, records, names });
  first.index.start();
  await until(() => first.index.state === 'synced');
  t.match(first.told.streamsSized.at(-1), { digests: 10_000, streams: 20, tags: 1_000 });
  t.match(found(first), [{ namespace: 'ocp', name: 'stream-7', tag: 'component-11' }]);
  t.type(found(first)[0]?.until, 'number');
  await first.close();
  api.switches.answersStatus = 503;
  const second = await indexRig(t, { api, records, names });
  second.index.start();
  await until(() => second.told.streamsFailed.length > 0);
  t.match(second.told.streamsSized.at(-1), { digests: 10_000 });
  t.same(found(second), found(first));
});
