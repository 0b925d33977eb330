import { test } from 'tap';
import { parseHead } from '../../../src/upstream/download/response-head.ts';
import { createWorkWatch } from '../../support/work-watch.ts';

const head = (...lines: string[]) => lines.join('\r\n');
const ok = (...fields: string[]) => head('HTTP/1.1 200 OK', ...fields);

test('a head is its status, its fields, and how the body ends', async (t) => {
  const text = ok('Content-Type: text/plain', 'content-LENGTH:  12 ', 'Warning: a', 'warning: b', 'X-Empty:');
  t.match(parseHead(text), {
    status: 200,
    headers: { 'content-type': 'text/plain', 'content-length': '12', warning: ['a', 'b'], 'x-empty': '' },
    framing: { kind: 'length', bytes: 12 },
    isKept: true,
  });
});

test('a body ends by length, by chunks, or with the connection', async (t) => {
  t.same(parseHead(ok('transfer-encoding: Chunked')).framing, { kind: 'chunked' });
  t.same(parseHead(ok('content-length: 5, 5')).framing, { kind: 'length', bytes: 5 });
  t.same(parseHead(ok()).framing, { kind: 'close' });
  t.same(parseHead('HTTP/1.1 304 Not Modified').framing, { kind: 'length', bytes: 0 });
});

test('a connection is kept where both sides will', async (t) => {
  t.equal(parseHead(ok('content-length: 0', 'connection: Close')).isKept, false);
  t.equal(parseHead(ok()).isKept, false);
  t.equal(parseHead(head('HTTP/1.0 200 OK', 'content-length: 0')).isKept, false);
  t.equal(parseHead(ok('content-length: 0', 'connection: keep-alive')).isKept, true);
});

test('what RFC 9112 does not allow is refused', async (t) => {
  const refused = [
    'HTTP/2 200 OK',
    'HTTP/1.1 20 OK',
    'ICY 200 OK',
    '',
    ok('no colon'),
    ok('spaced name: x'),
    ok('name : x'),
    ok('folded: a', ' b'),
    ok('bare: a\nb: c'),
    ok('return: a\rb'),
    ok('zero: a\0'),
    ok(': nameless'),
    ok('content-length: 5', 'content-length: 6'),
    ok('content-length: 5, 6'),
    ok('content-length: -1'),
    ok('content-length: 0x10'),
    ok('content-length: 1e3'),
    ok('content-length:'),
    ok('content-length: \xa05'),
    ok('content-length: 5\v'),
    ok('content-length: 5', 'transfer-encoding: chunked'),
    ok('transfer-encoding: gzip, chunked'),
    ok('transfer-encoding: chunked, chunked'),
    ok('transfer-encoding: identity'),
  ];
  for (const text of refused) t.throws(() => parseHead(text), /malformed/, JSON.stringify(text));
});

test('a field named as the prototype of objects is a field', async (t) => {
  const { headers } = parseHead(ok('__proto__: x', 'content-length: 0'));
  t.same(Object.entries(headers), [
    ['__proto__', 'x'],
    ['content-length', '0'],
  ]);
});

test('a head made to be slow is read in no time', async (t) => {
  const blank = ' '.repeat(30_000);
  const workMs = createWorkWatch();
  t.match(parseHead(ok(`a: b${blank}c`)).headers, { a: `b${blank}c` });
  t.throws(() => parseHead(ok(`a:${blank}b\0`)), /malformed/);
  t.equal(parseHead(ok(...Array(15_000).fill('a:'))).headers['a']?.length, 15_000);
  t.ok(workMs() < 500);
});
