import { test } from 'tap';
import { isLong, listedPage } from '../../src/oci/registry-reader.ts';

const page = { warnings: ['299 - "old"'], ageMs: 5 };
const listOf = (tags: readonly unknown[]): Uint8Array => Buffer.from(JSON.stringify(tags));

test('a short list is parsed, and has no names that are no tags', async (t) => {
  t.same(await listedPage(listOf(['v1', '-no', 1, 'v2']), page), { ...page, tags: ['v1', 'v2'] });
});

test('a long list is packed, so that others have their turn', async (t) => {
  const tags = Array.from({ length: 10_000 }, (_, index) => `release-${String(index).padStart(8, '0')}`);
  t.ok(isLong(listOf(tags)));
  const long = await listedPage(listOf([...tags, '-no']), page);
  t.equal(long.packed?.starts.length, tags.length);
  t.same(long.tags, tags);
  t.same([long.warnings, long.ageMs], [page.warnings, page.ageMs]);
});

test('a long list of another form is parsed all the same', async (t) => {
  const tags = Array.from({ length: 10_000 }, (_, index) => `release-${String(index).padStart(8, '0')}`);
  const parsed = await listedPage(listOf([...tags, 7]), page);
  t.equal(parsed.packed, undefined);
  t.same(parsed.tags, tags);
});
