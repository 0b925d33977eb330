import { test } from 'tap';
import type { ClusterImage } from '../../../src/prune/integrated/image-object.ts';
import { imagePlan } from '../../../src/prune/integrated/image-plan.ts';
import { numbers } from '../memory-place.ts';

test('whatever is used or left out, no blob goes that an Image which stays needs', (t) => {
  const next = numbers(17);
  let deleted = 0;
  for (let round = 0; round < 2_000; round += 1) {
    const count = 2 + next(8);
    const images = new Map<string, ClusterImage>();
    for (let index = 0; index < count; index += 1) {
      const name = `m${index}`;
      images.set(name, {
        ...{ name, createdAt: next(10), isManaged: next(4) > 0, size: 1, reference: '' },
        blobs: Array.from({ length: next(4) }, () => ({ digest: `b${next(12)}`, size: next(100) })),
        children: next(4) === 0 ? [`m${next(count)}`] : [],
      });
    }
    const used = new Set(next(2) === 0 ? [] : [`m${next(count)}`]);
    const only = new Set([`image m${next(count)}`, `image m${next(count)}`, `blob b${next(12)}`]);
    const { deletions } = imagePlan(images, used, {
      ...{ all: next(2) === 0, keepYoungerThanMs: 3, now: 10, hasUnread: next(6) === 0 },
      ...(next(2) === 0 ? { only } : {}),
    });
    const going = new Set(deletions.map(({ name }) => name));
    const gone = new Set(deletions.flatMap(({ blobs }) => [...blobs.keys()]));
    deleted += gone.size;
    for (const image of images.values()) {
      if (going.has(image.name)) continue;
      for (const digest of [image.name, ...image.blobs.map((blob) => blob.digest)])
        if (gone.has(digest)) t.fail(`round ${round}: ${image.name} stays and loses ${digest}`);
      for (const child of image.children)
        if (going.has(child)) t.fail(`round ${round}: ${image.name} stays and loses ${child}`);
    }
    for (const name of used) if (going.has(name)) t.fail(`round ${round}: ${name} is used`);
  }
  t.ok(deleted > 1_000, `${deleted}`);
  t.end();
});
