import { type Test, test } from 'tap';
import { createFilesystemStore } from '../../../src/store/filesystem/filesystem-store.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { createS3Store } from '../../../src/store/s3/s3-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { s3Double } from '../../support/s3-double.ts';
import { hourMs, image, missing, replica, tagged } from './eviction-fixture.ts';

const media: Readonly<Record<Store['kind'], (t: Test) => Promise<Store>>> = {
  memory: async () => createMemoryStore(),
  filesystem: async (t) => createFilesystemStore({ path: t.testdir({}) }),
  s3: async (t) => {
    const { endpoint, close } = await s3Double();
    t.teardown(close);
    return createS3Store({ bucket: 'b', endpoint, pathStyle: true, ...credentials(t) });
  },
};

function credentials(t: Test) {
  const path = t.testdir({ key: 'key', secret: 'secret' });
  return { accessKeyIdFile: `${path}/key`, secretAccessKeyFile: `${path}/secret` };
}

for (const [kind, opened] of Object.entries(media)) {
  test(`${kind}: of a pinned, a used and an unused image the unused one goes, for every replica`, async (t) => {
    const store = await opened(t);
    const [pinned, used, unused] = [
      await image(store, 'a'),
      await image(store, 'b'),
      await image(store, 'c'),
    ];
    await tagged(store, 'release', pinned.manifest);
    const [one, two] = [replica(store, { pins: [/:release$/] }), replica(store, { pins: [/:release$/] })];
    for (const digest of used.digests) one.uses.touched(digest);
    await one.uses.flush();
    one.pass(hourMs);
    two.pass(hourMs);
    const outcomes = (await Promise.all([one.evict.run(), two.evict.run()])).map(({ outcome }) => outcome);
    t.ok(outcomes.includes('evicted'), outcomes.join());
    t.equal(await missing(store, unused.digests), 3);
    t.equal(await missing(store, [...pinned.digests, ...used.digests]), 0);
    t.equal((await two.evict.run()).outcome, 'below mark');
    await one.close();
    await two.close();
    await store.close();
  });
}
