import { test } from 'tap';
import { parseTokenAnswer } from '../../../src/upstream/login/token-answer.ts';

const now = Date.parse('2026-11-22T12:00:00Z');

function answer(body: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(body));
}

function jwt(claims: unknown): string {
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

test('a token is called token or access_token', async (t) => {
  t.equal(parseTokenAnswer(answer({ token: 'one' }), now).value, 'one');
  t.equal(parseTokenAnswer(answer({ access_token: 'two' }), now).value, 'two');
});

test('a token is used for most of expires_in', async (t) => {
  t.equal(parseTokenAnswer(answer({ token: 'x', expires_in: 100 }), now).staleAt, now + 80_000);
  t.equal(parseTokenAnswer(answer({ token: 'x', expires_in: 3_600 }), now).staleAt, now + 3_540_000);
});

test('a token that was issued a while ago has less life left', async (t) => {
  const body = { token: 'x', expires_in: 300, issued_at: '2026-11-22T11:56:40Z' };
  t.equal(parseTokenAnswer(answer(body), now).staleAt, now + 80_000);
});

test('an issued_at that cannot be true is ignored', async (t) => {
  for (const issued_at of ['2026-11-22T13:00:00Z', '2020-01-01T00:00:00Z', 'yesterday']) {
    const body = { token: 'x', expires_in: 100, issued_at };
    t.equal(parseTokenAnswer(answer(body), now).staleAt, now + 80_000);
  }
});

test('without expires_in the token itself says when it ends', async (t) => {
  const token = jwt({ exp: now / 1000 + 3_600 });
  t.equal(parseTokenAnswer(answer({ token }), now).staleAt, now + 3_540_000);
});

test('without either a token lives for a minute', async (t) => {
  for (const token of ['opaque', 'a.b.c', jwt({ exp: 'soon' })]) {
    t.equal(parseTokenAnswer(answer({ token }), now).staleAt, now + 48_000);
  }
});

test('a token that has ended is stale at once', async (t) => {
  t.equal(parseTokenAnswer(answer({ token: jwt({ exp: now / 1000 - 5 }) }), now).staleAt, now);
});

test('an answer without a token is refused, and not quoted', async (t) => {
  for (const bytes of [
    answer({}),
    answer('secret'),
    answer({ token: 'se\ncret' }),
    Buffer.from('secret {'),
    Buffer.from(`{"token":"secret","more":${'['.repeat(200)}${']'.repeat(200)}}`),
  ]) {
    try {
      parseTokenAnswer(bytes, now);
      t.fail('it was taken');
    } catch (error) {
      t.match(error, { code: 'UPSTREAM_INVALID' });
      t.notMatch(String(error), 'secret');
    }
  }
});
