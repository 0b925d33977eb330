import { test } from 'tap';
import { parseJson } from '../../../src/base/text/json.ts';

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
