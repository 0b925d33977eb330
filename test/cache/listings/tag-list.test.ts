import { test } from 'tap';
import { packedNames, unpacked } from '../../../src/base/text/packed-names.ts';
import { createTagList } from '../../../src/cache/listings/tag-list.ts';
import { isTag, parseTag } from '../../../src/oci/reference.ts';

const listOf = (...texts: string[]) => createTagList(packedNames(texts.map(parseTag)));
const parsed = (json: Uint8Array): unknown => JSON.parse(Buffer.from(json).toString());

test('each page is what a filter of the tags would give', async (t) => {
  const names = ['a', 'aa', 'b', 'b.1', 'c_c', 'dd', 'z'];
  for (let length = 0; length <= names.length; length += 1) {
    const tags = names.slice(0, length);
    const list = listOf(...tags);
    t.same(parsed(list.json), tags);
    t.same(unpacked(list.names), tags);
    for (const last of [undefined, '', 'a', 'ab', 'b', 'dd', 'z', 'zz', '"', '!'])
      for (const n of [undefined, 0, 1, 2, 6, 7, 100]) {
        const rest = tags.filter((tag) => tag > (last ?? ''));
        const page = list.page({
          ...(last === undefined ? {} : { last }),
          ...(n === undefined ? {} : { n }),
        });
        const wanted = rest.slice(0, n ?? rest.length);
        if (JSON.stringify(parsed(page.json)) !== JSON.stringify(wanted)) t.fail(`${length} ${last} ${n}`);
        const more = wanted.length > 0 && wanted.length < rest.length ? wanted.at(-1) : undefined;
        if (page.last !== more) t.fail(`${length} ${last} ${n}: ${page.last}`);
      }
  }
});

test('a list that is sorted in another way goes on behind the tag all the same', async (t) => {
  const list = listOf('B', 'a', 'C', 'a1', 'b');
  t.same(parsed(list.page({ last: 'a', n: 2 }).json), ['C', 'a1']);
  t.same(parsed(list.page({ last: 'b' }).json), []);
});

test('half a million tags take little more memory than their text', async (t) => {
  const texts = Array.from({ length: 500_000 }, (_, at) => `ocp_4.20_component-name-${at}`).filter(isTag);
  const list = createTagList(packedNames(texts));
  t.ok(list.bytes < list.json.byteLength * 1.2);
  const { json, last } = list.page({ last: 'ocp_4.20_component-name-499990', n: 3 });
  t.same(parsed(json), texts.slice(499_991, 499_994));
  t.equal(last, texts[499_993]);
});

test('a tag that is listed twice leads to no page that was there before', async (t) => {
  const list = listOf('a', 'b', 'a', 'c');
  const shown: unknown[] = [];
  for (let last: string | undefined = ''; last !== undefined && shown.length < 9; ) {
    const page: ReturnType<typeof list.page> = list.page({ n: 1, last });
    shown.push(...[parsed(page.json)].flat());
    last = page.last;
  }
  t.same(shown, ['a', 'b', 'c']);
});
