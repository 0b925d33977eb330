import { test } from 'tap';
import { isNews, mergedTags } from '../../../src/cache/members/entry-tags.ts';
import { createRepositoryIndex } from '../../../src/cache/records/repository-index.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseRepository, parseTag, type Tag } from '../../../src/oci/reference.ts';
import { memberKey } from '../../../src/store/keys.ts';
import { createMemoryStore } from '../../../src/store/memory-store.ts';
import { sized } from '../../support/sized.ts';

/** `<scope>_<number>`. */
const scopeOf = (tag: Tag): string => tag.split('_')[0] ?? '';
const tagsOf = (scopes: number, each: number, from = 0): Tag[] =>
  Array.from({ length: scopes * each }, (_, at) => parseTag(`s${at % scopes}_${from + at}`));
const merging = {
  scope: { upstream: 'quay.io', repository: parseRepository('openshift/ci') },
  scopeOf: (_: unknown, tag: Tag): string => scopeOf(tag),
};
const scopesOf = (tags: readonly Tag[]) => new Set(tags.map(scopeOf));

test('a few tags are all kept, and what adds nothing is the same', (t) => {
  const few = tagsOf(2, 32);
  t.same(mergedTags(few.slice(0, 40), few.slice(40), merging), few);
  t.equal(mergedTags(few, few.slice(0, 3), merging), few);
  t.end();
});

test('of too many the covered ones go first, the oldest of them before the others', (t) => {
  const lonely = parseTag('lonely_0');
  const merged = mergedTags([lonely, ...tagsOf(2, 31)], tagsOf(2, 31, 62), merging);
  t.equal(merged.length, 64);
  t.equal(merged[0], lonely, 'nothing covers it');
  t.equal(merged.at(-1), 's1_123');
  t.notOk(merged.includes(parseTag('s0_0')));
  t.end();
});

test('there are never more than 1,024, of the latest scopes', (t) => {
  const merged = mergedTags(tagsOf(1_000, 1), tagsOf(2_000, 1), merging);
  t.equal(merged.length, 1_024);
  t.ok(merged.includes(parseTag('s1999_1999')));
  t.notOk(isNews(merged, tagsOf(1, 1), merging), 'and what is beyond need not be written');
  t.end();
});

test('an inherited tag takes the place of none that is known, unless it was just seen', (t) => {
  const known = tagsOf(70, 1);
  const stale = parseTag('s1_stale');
  const fresh = parseTag('s2_fresh');
  const merged = mergedTags(known, [stale, fresh], { ...merging, isInherited: true });
  t.notOk(merged.includes(stale));
  t.ok(merged.includes(parseTag('s1_1')));
  t.ok(merged.includes(fresh));
  t.notOk(merged.includes(parseTag('s2_2')));
  t.end();
});

test('a base layer under thousands of tags is found from every scope, on a small record that is seldom written', async (t) => {
  const scope = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
  const layer = { digest: digestOf(Buffer.from('base')), size: 4 };
  const { records } = createMemoryStore();
  let writes = 0;
  const counted = {
    ...records,
    put: (...put: Parameters<typeof records.put>) => {
      writes += 1;
      return records.put(...put);
    },
  };
  let now = 1_000_000;
  const [tagCount, scopeCount] = [sized(1_500, 5_000), sized(100, 300)];
  const options = { records: counted, scopeOf: (_: unknown, tag: Tag) => scopeOf(tag), clock: () => now };
  const members = createRepositoryIndex(options);
  for (const tag of tagsOf(scopeCount, 17).slice(0, tagCount)) {
    await members.add(scope, [layer], tag);
    await members.settled();
    now += 10_000;
  }
  t.equal(scopesOf(await members.tagsOf(scope, layer.digest)).size, scopeCount);
  await members.close();
  const hours = Math.ceil((tagCount * 10) / 3_600);
  t.ok(writes <= scopeCount + 64 + hours, `${writes} writes: each scope once, and then once an hour`);
  const record = await records.get(memberKey(scope.upstream, scope.repository, layer.digest));
  t.ok((record?.bytes.byteLength ?? 0) < scopeCount * 20 + 200, `${record?.bytes.byteLength} bytes`);
  const later = createRepositoryIndex(options);
  t.equal(scopesOf(await later.tagsOf(scope, layer.digest)).size, scopeCount, 'after a restart as well');
  await later.close();
});

test('a tag of a known scope that is not yet written leads there all the same', async (t) => {
  const scope = { upstream: 'quay.io', repository: parseRepository('openshift/ci') };
  const layer = { digest: digestOf(Buffer.from('base')), size: 4 };
  const members = createRepositoryIndex({
    records: createMemoryStore().records,
    scopeOf: (_, tag) => scopeOf(tag),
    clock: () => 1_000_000,
  });
  await members.inherit(scope, [layer], tagsOf(100, 1));
  const latest = parseTag('s7_latest');
  await members.add(scope, [layer], latest);
  t.equal((await members.tagsOf(scope, layer.digest)).at(-1), latest);
  await members.close();
});
