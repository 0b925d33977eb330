import { Readable } from 'node:stream';
import { test } from 'tap';
import { secretsOf } from '../../../src/upstream/login/shown.ts';
import { replyWith } from '../../../src/upstream/resilience/words.ts';

const password = `pa"ss & w<o>rd's`;
const credential = { username: 'robot', password };
const pair = Buffer.from(`robot:${password}`);

/** What the log would quote of an answer with that body. */
async function quotedOf(body: string): Promise<string> {
  const ask = {
    kind: 'token',
    method: 'POST',
    url: new URL('https://auth.example/token'),
    body: new URLSearchParams({ password }).toString(),
  } as const;
  const secrets = () => secretsOf(ask, async () => credential);
  const answer = { status: 403, headers: {}, url: ask.url, body: Readable.from([]), secrets };
  return (await replyWith(answer, Buffer.from(body))).said ?? '';
}

const forms = {
  plain: password,
  'of a URL': encodeURIComponent(password),
  'of a form': new URLSearchParams({ '': password }).toString().slice(1),
  'of JSON': JSON.stringify(password).slice(1, -1),
  'of HTML': password
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;'),
  'of HTML with entities by number': password
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;')
    .replaceAll("'", '&#39;'),
  'in base64': pair.toString('base64'),
  'in base64 without padding': pair.toString('base64').replace(/=+$/, ''),
  'in base64url': pair.toString('base64url'),
};

for (const [what, text] of Object.entries(forms))
  test(`a login that an answer repeats ${what} is not quoted`, async (t) => {
    const said = await quotedOf(`you sent ${text} for it`);
    t.match(said, /^you sent \[redacted\]=* for it$/);
  });

test('a login that is cut with the end of what is read is not quoted in part', async (t) => {
  const tags = '<br>'.repeat(4 * 1024 - 2);
  const said = await quotedOf(`${tags}${password}`.padEnd(20_000, 'x'));
  t.notMatch(said, 'pa');
});
