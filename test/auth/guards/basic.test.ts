import { test } from 'tap';
import { parseAuthorization } from '../../../src/auth/guards/basic.ts';

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

test('a pair is split at its first colon', async (t) => {
  t.same(parseAuthorization(basic('robot:a:b')), { kind: 'basic', username: 'robot', password: 'a:b' });
  t.same(parseAuthorization(basic('robot:')), { kind: 'basic', username: 'robot', password: '' });
  t.same(parseAuthorization(basic('röbot:pässword')), {
    kind: 'basic',
    username: 'röbot',
    password: 'pässword',
  });
});

test('the scheme is read in any case', async (t) => {
  t.same(parseAuthorization('bearer a.b-c_d'), { kind: 'bearer', token: 'a.b-c_d' });
  t.same(parseAuthorization('BASIC YTpi'), { kind: 'basic', username: 'a', password: 'b' });
});

test('an empty pair is no login, as no field is', async (t) => {
  for (const header of [undefined, '', 'Basic Og=='])
    t.same(parseAuthorization(header), { refused: 'absent' });
});

test('what is no credential is malformed', async (t) => {
  for (const header of [
    'Basic',
    'Basic ',
    'Digest a',
    'Basic YQ==',
    'Bearer a b',
    'Bearer "a"',
    'x'.repeat(100),
  ]) {
    t.same(parseAuthorization(header), { refused: 'malformed' }, header);
  }
});

test('a value of more than 8 KiB is refused unread', async (t) => {
  t.match(parseAuthorization(`Bearer ${'a'.repeat(8185)}`), { kind: 'bearer' });
  t.same(parseAuthorization(`Bearer ${'a'.repeat(8186)}`), { refused: 'malformed' });
});
