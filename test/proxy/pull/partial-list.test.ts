import { type Test, test } from 'tap';
import { createCursors } from '../../../src/auth/guards/cursors.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { parseRepository } from '../../../src/oci/reference.ts';
import { inPart } from '../../../src/proxy/pull/partial-list.ts';
import { cacheRig } from '../../support/cache-rig.ts';

/** A repository of these tags, of which those beginning with `ocp_` may be seen. */
async function stage(t: Test, tags: readonly string[]) {
  const rig = await cacheRig(t);
  for (const tag of tags) rig.double.addImage(rig.repository, tag);
  const asked: (readonly string[])[] = [];
  const keys = randomTokenKeys();
  const list = inPart(rig.registry.listings, {
    cursors: createCursors(() => keys),
    owner: { host: 'a', upstream: rig.registry.name, subject: { name: 'ann' } },
    mayPull: async (_, tag) => tag.startsWith('ocp_') || tag === 'dated_sha256_1',
    visible: async (_, each) => {
      asked.push(each);
      return each.filter((tag) => tag.startsWith('ocp_'));
    },
  });
  return {
    double: rig.double,
    asked,
    async page(query: string, repository = rig.repository) {
      const { page } = await list(repository, query);
      return { tags: JSON.parse(Buffer.from(page.json).toString()), next: page.nextQuery };
    },
  };
}

test('only what may be seen is shown, and each page leads to the next, also one that shows nothing', async (t) => {
  const { page } = await stage(t, ['a', 'b', 'ocp_1', 'priv_1', 'ocp_2', 'z']);
  const shown: unknown[] = [];
  for (let query: string | undefined = 'n=2'; query !== undefined; ) {
    const { tags, next }: Awaited<ReturnType<typeof page>> = await page(query);
    shown.push(tags);
    query = next;
  }
  t.same(shown, [[], ['ocp_1', 'ocp_2'], []]);
});

test('no link names a tag, however small the pages are', async (t) => {
  const { page } = await stage(t, ['a_secret', 'b_secret']);
  const { tags, next = '' } = await page('n=1');
  t.same(tags, []);
  t.match(next, /^cursor=[\w-]+$/);
  t.notOk(Buffer.from(next.slice('cursor='.length), 'base64url').includes('secret'));
});

test('a list goes on only after a tag that may be seen: the places between others would tell their names', async (t) => {
  const { page, asked } = await stage(t, ['ocp_1', 'ocq_secret', 'z']);
  for (const last of ['ocq_r', 'ocq_secret', 'ocq_t', 'no%20tag'])
    await t.rejects(page(`n=1&last=${last}`), { code: 'PAGINATION_NUMBER_INVALID' });
  t.same(
    asked.filter((tags) => tags.includes('z')),
    [],
  );
  t.same((await page('n=1&last=ocp_1')).tags, []);
  t.same((await page('n=1&last=')).tags, ['ocp_1']);
});

test('a list goes on after a tag that may be pulled though it is not shown', async (t) => {
  const { page } = await stage(t, ['a', 'dated_sha256_1', 'ocp_1']);
  t.same((await page('n=1&last=dated_sha256_1')).tags, ['ocp_1']);
});

test('a page of a whole list costs questions about its own tags alone', async (t) => {
  const { page, asked, double } = await stage(t, ['ocp_1', 'ocp_2', 'ocp_3', 'z']);
  double.switches.ignoresPageSize = true;
  const { tags, next = '' } = await page('n=2');
  t.same(tags, ['ocp_1', 'ocp_2']);
  t.same(await page(next), { tags: ['ocp_3'], next: undefined });
  t.same(asked, [
    ['ocp_1', 'ocp_2'],
    ['ocp_3', 'z'],
  ]);
  t.equal(double.seen('/tags/list').length, 1);
});

test('nothing else of a client finds its way into the upstream question', async (t) => {
  const { page, double } = await stage(t, ['ocp_1']);
  await page('n=7&next_page=x&last=ocp_0&offset=3');
  t.same(
    double.seen('/tags/list').map(({ query }) => query),
    ['n=7&last=ocp_0'],
  );
});

test('no page has more than 1,000 tags to ask about, whatever is asked for', async (t) => {
  for (const query of ['', 'n=5000', 'n=7']) {
    const { page, double } = await stage(t, ['ocp_1']);
    await page(query);
    t.equal(double.seen('/tags/list')[0]?.query, query === 'n=7' ? 'n=7' : 'n=1000');
  }
});

test('a cursor that is none of ours is refused', async (t) => {
  const { page } = await stage(t, ['ocp_1']);
  await t.rejects(page('cursor=bj0x'), { code: 'PAGINATION_NUMBER_INVALID' });
});

test('a cursor of one repository is refused at another, and no upstream is asked', async (t) => {
  const { page, double } = await stage(t, ['ocp_1', 'secret', 'z']);
  const other = parseRepository('team/other');
  double.addImage(other, 'ocp_2');
  const { next = '' } = await page('n=1');
  await t.rejects(page(next, other), { code: 'PAGINATION_NUMBER_INVALID' });
  t.same(double.seen('team/other/tags/list'), []);
  t.same((await page(next)).tags, []);
});

test('what the upstream lists and is no tag is not asked about, nor shown', async (t) => {
  const { page, asked } = await stage(t, ['ocp_1', 'ocp_ /../x']);
  t.same((await page('')).tags, ['ocp_1']);
  t.same(asked, [['ocp_1']]);
});
