import { test } from 'tap';
import { parseRepository } from '../../src/oci/reference.ts';
import type { RegistryReader } from '../../src/oci/registry-reader.ts';
import { prefixedTags, rangePage, splitByTime } from '../../src/prune/tag-ranges.ts';

interface Page {
  readonly tags: readonly string[];
  readonly nextQuery?: string;
}

/** A registry that answers the questions for tags with these pages, in turn. */
function listing(...pages: readonly (Page | undefined)[]) {
  const queries: string[] = [];
  const left = [...pages];
  const reader = {
    tags: async (_repository: unknown, query: string) => {
      queries.push(query);
      return left.shift();
    },
  } as unknown as RegistryReader;
  return { place: { reader, repository: parseRepository('openshift/ci') }, queries };
}

const { signal } = new AbortController();
const range = { after: '2026', until: '2027' };

test('a page ends with the range, and names where the next one begins', async (t) => {
  const whole = listing({ tags: ['20260101_a', '20260102_b'] });
  t.same(await rangePage(whole.place, range, signal), {
    tags: ['20260101_a', '20260102_b'],
    rest: undefined,
  });
  t.same(whole.queries, ['n=1000&last=2026']);
  const beyond = listing({ tags: ['20260101_a', '20270101_b'], nextQuery: 'x' });
  t.same(await rangePage(beyond.place, range, signal), { tags: ['20260101_a'], rest: undefined });
  const more = listing({ tags: ['20260101_a'], nextQuery: 'x' });
  t.match(await rangePage(more.place, range, signal), { rest: { after: '20260101_a', until: '2027' } });
});

test('a registry that lists in another order, or not from there on, has no ranges', async (t) => {
  for (const tags of [
    ['20260102_b', '20260101_a'],
    ['20260101_a', '20260101_a'],
    ['2026'],
    ['20250101_a', '20260101_a'],
  ])
    t.equal(await rangePage(listing({ tags }).place, range, signal), undefined, tags.join());
  const second = listing({ tags: ['20260102_b'], nextQuery: 'x' }, { tags: ['20260101_a'] });
  t.equal(await prefixedTags(second.place, '2026', signal), undefined, 'in the second page');
});

test('an empty page with a next one, and no repository, are failures and not the end', async (t) => {
  const empty = listing({ tags: [], nextQuery: 'x' });
  await t.rejects(rangePage(empty.place, range, signal), { code: 'UPSTREAM_INVALID' });
  await t.rejects(rangePage(listing(undefined).place, range, signal), { code: 'NAME_UNKNOWN' });
});

test('tags of a prefix come from every page, and no others', async (t) => {
  const { place, queries } = listing(
    { tags: ['2026a', '2026b'], nextQuery: 'x' },
    { tags: ['2026c', '2027'] },
  );
  t.same(await prefixedTags(place, '2026', signal), ['2026a', '2026b', '2026c']);
  t.same(queries, ['n=1000&last=202', 'n=1000&last=2026b']);
});

test('a range of times is parted without a gap', async (t) => {
  const parts = splitByTime({ after: '20260101000000', until: '20260105000000' }, 4);
  t.equal(parts.length, 4);
  t.equal(parts[0]?.after, '20260101000000');
  t.equal(parts.at(-1)?.until, '20260105000000');
  for (const [index, part] of parts.slice(1).entries()) t.equal(part.after, parts[index]?.until);
  t.same(splitByTime({ after: 'a', until: 'b' }, 4), [{ after: 'a', until: 'b' }], 'no time');
});
