import { test } from 'tap';
import { consoleRig, cookieIn } from '../../support/console-rig.ts';

const verdicts = {
  'a-token-of-ann-at-the-cluster': { kind: 'allowed', name: 'ann' },
  'a-token-of-bob-at-the-cluster': { kind: 'denied', name: 'bob' },
} as const;
const [anns, bobs] = Object.keys(verdicts) as [string, string];

test('on the host itself the page needs no login', async (t) => {
  const { browser } = await consoleRig(t);
  t.same(await (await browser('/console/me')).json(), { name: 'local', isOperator: true, hasLogin: false });
});

test('a login is a cookie that no script reads and no other site sends, without the token', async (t) => {
  const { browser, audit } = await consoleRig(t, { verdicts });
  const entered = await browser('/console/login', { method: 'POST', body: { token: anns } });
  t.equal(entered.status, 200);
  const cookie = entered.headers.get('set-cookie') ?? '';
  for (const word of ['HttpOnly', 'SameSite=Strict', 'Path=/', 'Max-Age=28800']) t.match(cookie, word);
  t.notMatch(cookie, anns);
  t.notMatch(Buffer.from(cookieIn(entered).split('=')[1] ?? '', 'base64url').toString('latin1'), anns);
  const seen = await browser('/console/me', { cookie: cookieIn(entered) });
  t.same(await seen.json(), { name: 'ann', isOperator: true, hasLogin: true });
  t.match(audit, [{ operator: 'ann', verb: 'login', path: '/quayside/console/login' }]);
});

test('reading and changing are asked for apart, and a change is in the audit log', async (t) => {
  const { browser, asked, audit, forgotten } = await consoleRig(t, { verdicts });
  const cookie = cookieIn(await browser('/console/login', { method: 'POST', body: { token: anns } }));
  t.equal((await browser('/access/forget', { method: 'POST', cookie })).status, 204);
  t.equal(forgotten(), 1);
  t.match(asked, [
    { verb: 'get', path: '/quayside/console' },
    { verb: 'post', path: '/quayside/access/forget' },
  ]);
  t.match(audit.at(-1), { operator: 'ann', verb: 'post', path: '/quayside/access/forget' });
});

test('who has no right, or shows no token that is known, gets no cookie', async (t) => {
  const { browser, audit } = await consoleRig(t, { verdicts });
  for (const [token, status] of [
    [bobs, 403],
    ['a-token-that-no-one-has-seen', 401],
    ['', 400],
  ] as const) {
    const refused = await browser('/console/login', { method: 'POST', body: { token } });
    t.equal(refused.status, status, token);
    t.equal(refused.headers.get('set-cookie'), null);
  }
  t.same(audit, []);
});

test('a token that is longer than a cookie is refused in words', async (t) => {
  const long = 'x'.repeat(3_000);
  const { browser } = await consoleRig(t, { verdicts: { [long]: { kind: 'allowed', name: 'ann' } } });
  const refused = await browser('/console/login', { method: 'POST', body: { token: long } });
  t.equal(refused.status, 400);
  t.match(await refused.text(), 'too long for a cookie');
});

test('a page of another origin neither logs in nor uses a login', async (t) => {
  const { browser, origin, forgotten } = await consoleRig(t, { verdicts });
  const from = 'http://evil.example';
  const foreign = await browser('/console/login', { method: 'POST', body: { token: anns }, from });
  t.equal(foreign.status, 403);
  const cookie = cookieIn(await browser('/console/login', { method: 'POST', body: { token: anns } }));
  t.equal((await browser('/access/forget', { method: 'POST', cookie, from })).status, 403);
  t.equal((await browser('/console/settings', { cookie, from })).status, 403);
  // A browser that names no origin at all is no browser that we know.
  t.equal((await fetch(`${origin}/access/forget`, { method: 'POST', headers: { cookie } })).status, 403);
  t.equal(forgotten(), 0);
});

test('a login ends after its time, by logging out, and when its token is no longer known', async (t) => {
  let now = 0;
  const known: Record<string, (typeof verdicts)[keyof typeof verdicts]> = { ...verdicts };
  const { browser } = await consoleRig(t, { verdicts: known, now: () => now });
  const cookie = cookieIn(await browser('/console/login', { method: 'POST', body: { token: anns } }));
  const whom = async () =>
    ((await (await browser('/console/me', { cookie })).json()) as { name: string }).name;
  t.equal(await whom(), 'ann');
  now = 1_001;
  t.equal(await whom(), 'local', 'as if there were none');
  now = 0;
  delete known[anns];
  const refused = await browser('/console/me', { cookie });
  t.equal(refused.status, 401);
  t.match(refused.headers.get('set-cookie'), /^quayside-login=;.*Max-Age=0/);
  const left = await browser('/console/logout', { method: 'POST', cookie, body: {} });
  t.equal(left.status, 204);
  t.match(left.headers.get('set-cookie'), /Max-Age=0/);
});

test('a changed cookie, one of another server, and two of them are none', async (t) => {
  const [rig, other] = [await consoleRig(t, { verdicts }), await consoleRig(t, { verdicts })];
  const login = { method: 'POST', body: { token: anns } };
  const cookie = cookieIn(await rig.browser('/console/login', login));
  const foreign = cookieIn(await other.browser('/console/login', login));
  const changed = `${cookie.slice(0, -3)}${cookie.endsWith('AAA') ? 'BBB' : 'AAA'}`;
  for (const each of [foreign, changed, `${cookie}; ${cookie}`, 'quayside-login=x']) {
    const seen = await rig.browser('/console/me', { cookie: each });
    t.match(await seen.json(), { name: 'local' });
  }
});

test('a copy of the cookie counts no more once its owner has logged out', async (t) => {
  const { browser } = await consoleRig(t, { verdicts });
  const login = async () =>
    cookieIn(await browser('/console/login', { method: 'POST', body: { token: anns } }));
  const [left, kept] = [await login(), await login()];
  const whom = async (cookie: string) => (await (await browser('/console/me', { cookie })).json()) as object;
  t.equal((await browser('/console/logout', { method: 'POST', cookie: left, body: {} })).status, 204);
  t.match(await whom(left), { name: 'local' }, 'as if there were none');
  t.match(await whom(`${left}==`), { name: 'local' }, 'however it is written');
  t.match(await whom(kept), { name: 'ann' }, 'another login stays');
});
