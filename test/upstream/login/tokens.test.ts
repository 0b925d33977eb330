import { Readable } from 'node:stream';
import { test } from 'tap';
import type { UpstreamRequest } from '../../../src/upstream/exchange.ts';
import { createUpstreamTokens } from '../../../src/upstream/login/tokens.ts';

const realm = new URL('https://auth.example.com/token');
const { signal: closing } = new AbortController();

/** A token server that gives each question another token. */
function server() {
  let count = 0;
  const send = async ({ url }: UpstreamRequest) => {
    count += 1;
    return {
      status: 200,
      headers: {},
      url,
      body: Readable.from([Buffer.from(`{"token":"t${count}","expires_in":300}`)]),
    };
  };
  const kept = createUpstreamTokens({ send, method: 'GET', now: () => 0, closing });
  return async (username: string, scope?: string) => {
    const credential = { username, password: 'secret' };
    return (await kept.get({ realm, service: 'quay.io', scope, credential })).value;
  };
}

test('a token is for one login and one scope', async (t) => {
  const get = server();
  t.equal(await get('alice'), 't1');
  t.equal(await get('bob'), 't2');
  t.equal(await get('alice', 'repository:team/app:pull'), 't3');
  t.equal(await get('alice'), 't1');
  t.equal(await get('bob'), 't2');
});
