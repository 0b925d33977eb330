import { test } from 'tap';
import {
  joinedNames,
  namesInField,
  namesInList,
  packedNames,
  unpacked,
} from '../../../src/base/text/packed-names.ts';
import { isTag } from '../../../src/oci/reference.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { sized } from '../../support/sized.ts';

const bytesOf = (text: string): Buffer => Buffer.from(text);

/** What the field is, by the parser; undefined for what is no such document. */
function parsedNames(text: string): unknown {
  try {
    const { tags }: { tags?: unknown } = JSON.parse(text);
    return Array.isArray(tags) ? [...new Set(tags.filter(isTag))] : tags;
  } catch {
    return undefined;
  }
}

/** The same by slices, or `parse` where the parser must do it. */
async function foundNames(text: string): Promise<unknown> {
  const found = await namesInField(bytesOf(text), 'tags');
  if (found === undefined) return 'parse';
  try {
    const rest: unknown = JSON.parse(found.rest.toString());
    const isField = typeof rest === 'object' && rest !== null && Reflect.get(rest, 'tags') === found.mark;
    if (!isField) return 'parse';
  } catch {
    return 'parse';
  }
  const { json, starts, isSorted } = found.names;
  const names = unpacked(found.names);
  if (JSON.stringify(JSON.parse(json.toString())) !== JSON.stringify(names)) return 'bad text';
  if (starts.some((start, index) => !json.toString('latin1', start).startsWith(names[index] ?? '"')))
    return 'bad starts';
  const isReallySorted = names.every((name, index) => index === 0 || name > (names[index - 1] ?? ''));
  return isSorted === isReallySorted ? names : 'bad order';
}

test('names are found as the parser finds them, in documents of any layout', async (t) => {
  for (const text of [
    '{"name":"a/b","tags":["a","b"]}',
    '{ "tags" : [ "b" ,\n"a", "b", "c" ] , "name" : "x" }',
    '{"tags":[]}',
    '{"tags":["v1","bad tag","-no",".no","ok.1","","UPPER_1"]}',
    `{"tags":["${'x'.repeat(128)}","${'y'.repeat(129)}"]}`,
  ])
    t.same(await foundNames(text), parsedNames(text), text);
});

test('what is no plain list of strings is left to the parser', async (t) => {
  for (const text of [
    '{"tags":null}',
    '{"tags":["a",1]}',
    '{"tags":["a","\\u0062"]}',
    '{"tags":["a",["b"]]}',
    '{"tags":["a","é"]}',
    '{"tags":["a",]}',
    '{"tags":["a" "b"]}',
    '{"tags":["a"',
    '{"tags":["a"]',
    '{"tags":["a"]}}',
    '{"other":{"tags":["a"]},"tags":["b"]}',
    '{"tags":["a"],"tags":["b"]}',
    '{"name":"tags","tags":["b"]}',
    '["tags"]',
    '{}',
    'no JSON',
  ])
    t.equal(await foundNames(text), 'parse', text);
});

/** A document much as registries write it, now and then with something wrong in it. */
function document(random: Random): string {
  const blank = (): string => (random.isLucky(0.2) ? random.pick([' ', '\n', '\t', '  ']) : '');
  const name = (): string =>
    Array.from({ length: random.below(6) }, () => random.pick([...'ab1_.-" \\é'])).join('');
  const entry = (): string =>
    random.isLucky(0.95) ? JSON.stringify(name()) : random.pick(['1', 'null', '[]', '"a', '{}']);
  const list = Array.from({ length: random.below(9) }, entry);
  const separator = random.isLucky(0.97) ? ',' : random.pick(['', ',,', ';']);
  const tags = `[${blank()}${list.join(`${blank()}${separator}${blank()}`)}${blank()}]`;
  const fields = [`"tags"${blank()}:${blank()}${tags}`, '"name":"a/b"'];
  if (random.isLucky(0.1)) fields.push(random.pick(['"tags":[]', '"more":{"tags":["x"]}', '"n":1e3']));
  if (random.isLucky(0.5)) fields.reverse();
  const text = `{${fields.join(`${blank()},`)}}`;
  return random.isLucky(0.9) ? text : text.slice(0, random.below(text.length));
}

test('of any document the names are those of the parser, or left to it', async (t) => {
  let found = 0;
  for (let seed = 1; seed <= sized(2_000, 200_000); seed += 1) {
    const text = document(seeded(seed));
    const names = await foundNames(text);
    if (names === 'parse') continue;
    found += 1;
    if (JSON.stringify(names) !== JSON.stringify(parsedNames(text))) t.fail(`seed ${seed}: ${text}`);
  }
  t.ok(found > 100, `${found} documents`);
});

test('a document that is a list is read likewise, and another is left to the parser', async (t) => {
  for (const text of ['[]', ' [ "a" , "b" ] ', '["v1","bad tag","-no","ok.1","v1"]', '["b","a"]']) {
    const names = await namesInList(bytesOf(text));
    t.same(names && unpacked(names), parsedNames(`{"tags":${text}}`), text);
  }
  for (const text of ['', '["a"', '["a"]]', '["a",1]', '{"tags":["a"]}', '["\\u0062"]'])
    t.equal(await namesInList(bytesOf(text)), undefined, text);
});

test('a long list gives others their turn', async (t) => {
  const names = Array.from({ length: 200_000 }, (_, index) => `tag-${String(index).padStart(7, '0')}`);
  const inField = async (listed: readonly string[]) =>
    (await namesInField(bytesOf(JSON.stringify({ name: 'a', tags: listed })), 'tags'))?.names;
  const inList = (listed: readonly string[]) => namesInList(bytesOf(JSON.stringify(listed)));
  for (const find of [() => inField(names), () => inField(names.toReversed()), () => inList(names)]) {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    count();
    const found = await find();
    isOver = true;
    t.ok(turns >= 8, `${turns} turns`);
    t.equal(found?.starts.length, names.length);
    t.ok((found?.json.byteLength ?? 0) < names.length * 15);
  }
});

test('sorted lists that follow one another are one, and others are not', (t) => {
  const joined = joinedNames([['a', 'b'], [], ['c'], ['d', 'e']].map(packedNames));
  t.same(joined, packedNames(['a', 'b', 'c', 'd', 'e']));
  t.equal(joinedNames([['a', 'c'], ['b']].map(packedNames)), undefined);
  t.equal(joinedNames([['a'], ['a']].map(packedNames)), undefined);
  t.equal(joinedNames([['b', 'a']].map(packedNames)), undefined);
  t.equal(joinedNames([]), undefined);
  t.end();
});
