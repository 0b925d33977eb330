import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import { createSeenTags, type ImageStreamObject, statusTags } from '../../src/image-streams/stream-tags.ts';

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;

function stream(name: string, tags: Readonly<Record<string, string>>): ImageStreamObject {
  return {
    metadata: { namespace: 'ocp', name, resourceVersion: '1' },
    status: {
      tags: Object.entries(tags).map(([tag, image]) => ({
        tag,
        items: [{ created: '2026-01-01T00:00:00Z', image }, { image: digestOf('0') }],
      })),
    },
  };
}

test('a tag stands for the newest of its items', (t) => {
  t.match(statusTags(stream('4.5', { base: digestOf('a') })), [
    { namespace: 'ocp', name: '4.5', tag: 'base', digest: digestOf('a'), createdAt: 1767225600000 },
  ]);
  t.end();
});

test('tags without an image, of odd names and in streams without a status are left out', (t) => {
  t.same(statusTags({}), []);
  t.same(statusTags({ status: { tags: null } }), []);
  t.same(statusTags({ status: { tags: [{ tag: 'a', items: null }, { tag: 'a', items: [] }, {}] } }), []);
  const [held] = stream('4.5', { base: digestOf('a') }).status?.tags ?? [];
  const withNulls = {
    spec: { tags: [null] },
    status: { tags: [null, { tag: 'b', items: [null] }, held ?? null] },
  };
  t.match(statusTags(withNulls), [{ tag: 'base' }], 'and nulls among them');
  t.match(createSeenTags().saw(withNulls).changed, [{ tag: 'base' }]);
  t.same(statusTags(stream('4.5', { 'no tag': digestOf('a'), base: 'no digest' })), []);
  t.end();
});

test('what changed is told, and what is no more', (t) => {
  const seen = createSeenTags();
  const tagsOf = (tags: readonly { tag: string }[]) => tags.map(({ tag }) => tag);
  t.same(tagsOf(seen.saw(stream('4.5', { a: digestOf('a'), b: digestOf('b') })).changed), ['a', 'b']);
  const { changed, removed } = seen.saw(stream('4.5', { a: digestOf('c'), c: digestOf('b') }));
  t.same([tagsOf(changed), tagsOf(removed)], [['a', 'c'], ['b']]);
  t.same(tagsOf(seen.lost(stream('4.5', {})).removed), ['a', 'c']);
  t.same(seen.lost(stream('4.5', {})), { changed: [], removed: [] });
  t.same([seen.streams, seen.tags], [0, 0]);
  t.end();
});

test('a tag that is about to be taken away is told once more', (t) => {
  const seen = createSeenTags();
  const tags = stream('4.5', { a: digestOf('a'), b: digestOf('b') });
  const annotated = (name: string) => ({
    ...tags,
    spec: {
      tags: [
        { name: 'a', annotations: null },
        { name: 'b', annotations: { [name]: '2026-01-01T00:00:00Z' } },
      ],
    },
  });
  seen.saw(tags);
  t.same(seen.saw(annotated('release.openshift.io/other')).changed, []);
  const doomed = annotated('release.openshift.io/soft-delete');
  t.match(seen.saw(doomed).changed, [{ tag: 'b', digest: digestOf('b') }]);
  t.same(seen.saw(doomed), { changed: [], removed: [] });
  t.end();
});

test('what a look does not find again is no more, and is told once', (t) => {
  const seen = createSeenTags();
  seen.saw(stream('4.5', { a: digestOf('a') }));
  seen.saw(stream('4.6', { a: digestOf('a') }));
  const looked = seen.look();
  t.same(seen.saw(stream('4.6', { a: digestOf('a') })).changed, []);
  t.same(looked(), [{ namespace: 'ocp', name: '4.5', tag: 'a' }]);
  t.same(seen.look()().length, 1);
  t.equal(seen.tags, 0);
  t.end();
});

test('13,000 tags take less than five megabytes, however long their histories', (t) => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const seen = createSeenTags();
  const before = used();
  for (let index = 0; index < 130; index += 1) {
    const images = Array.from({ length: 100 }, (_, tag) => [`tag-${tag}`, digestOf('a')] as const);
    seen.saw(JSON.parse(JSON.stringify(stream(`stream-${index}`, Object.fromEntries(images)))));
  }
  const bytes = used() - before;
  t.equal(seen.tags, 13_000);
  t.ok(bytes < 5_000_000, `${bytes} bytes`);
  t.end();
});
