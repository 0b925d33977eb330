import { test } from 'tap';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { cacheRig } from '../../support/cache-rig.ts';

test('a manifest that comes while the store is asked is not asked for again', async (t) => {
  const store = createMemoryStore();
  const arrived = Promise.withResolvers<void>();
  let opened = 0;
  const blobs = {
    ...store.blobs,
    async open(...asked: Parameters<typeof store.blobs.open>) {
      opened += 1;
      const isSecond = opened === 2;
      const content = await store.blobs.open(...asked);
      if (isSecond) await arrived.promise;
      return content;
    },
  };
  const { repository, registry, double, membership } = await cacheRig(t, { store: { ...store, blobs } });
  const image = double.addImage(repository, 'one');
  const scope = { upstream: registry.name, repository };
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  await membership.add(scope, [{ digest: image.digest, size: image.manifest.length, mediaType }]);
  const [first, second] = [1, 2].map(() => registry.reading.read(repository, image.digest));
  await first;
  arrived.resolve();
  await second;
  t.equal(double.seen(`GET /v2/${repository}/manifests/`).length, 1);
});
