import { test } from 'tap';
import { field, fieldsOf, jsonOrNone, listOf, parseJson, textOf } from '../../../src/base/text/json.ts';

const parsed = (text: string): unknown => parseJson(Buffer.from(text));
const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;

test('text that nests too deep is not parsed', async (t) => {
  t.ok(parsed(nested(100)));
  t.throws(() => parsed(nested(101)), SyntaxError);
  t.throws(() => parsed(`{"x":${nested(1_000_000)}}`), SyntaxError);
  t.throws(() => parsed('{"a":'.repeat(1_000)), SyntaxError);
});

test('many values beside each other nest no deeper than one', async (t) => {
  t.same(parsed(`[${'[],{},'.repeat(500)}1]`), [...Array(500).fill([[], {}]).flat(), 1]);
});

test('brackets within strings are text', async (t) => {
  const text = `${'['.repeat(500)}\\"${'{'.repeat(500)}\\\\`;
  t.equal(parsed(`{"text":"${text}"}`) !== undefined, true);
  t.throws(() => parsed(`{"text":"\\\\",${'['.repeat(500)}`), SyntaxError);
});

test('what is not UTF-8 or not JSON is refused', async (t) => {
  t.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), TypeError);
  for (const text of ['', '"', '{"a', '<html>', '\\']) t.throws(() => parsed(text), SyntaxError);
});

test('short text that is not JSON is no value', async (t) => {
  t.same(jsonOrNone('{"a":[1]}'), { a: [1] });
  t.same(jsonOrNone(Buffer.from('"\xff"', 'latin1')), '\ufffd', 'what a log line may hold');
  for (const text of ['', '{"a', 'undefined', Buffer.from('<html>')]) t.equal(jsonOrNone(text), undefined);
});

test('a value of another shape than it should have is as if it were not there', async (t) => {
  t.equal(field({ a: 1 }, 'a'), 1);
  t.equal(field(['x'], 0), 'x');
  for (const value of [undefined, null, 'text', 1, {}, []]) t.equal(field(value, 'a'), undefined);
  t.equal(textOf('a'), 'a');
  for (const value of ['', 1, {}, null]) t.equal(textOf(value), undefined);
  t.same(fieldsOf({ a: 1 }), { a: 1 });
  for (const value of ['a', null, [1]]) t.same(fieldsOf(value), {});
  t.same(listOf([1]), [1]);
  for (const value of ['a', null, { length: 1 }]) t.same(listOf(value), []);
});
