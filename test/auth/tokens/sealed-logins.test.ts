import { test } from 'tap';
import { createSealedLogins } from '../../../src/auth/tokens/sealed-logins.ts';
import { parseTokenKeys, randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';

const [first, second] = ['a'.repeat(40), 'b'.repeat(40)];

test('every replica with the keys opens what another sealed, until its time is over', async (t) => {
  let now = 0;
  const options = { lastsMs: 1_000, now: () => now };
  const one = createSealedLogins({ keys: () => parseTokenKeys([first]), ...options });
  const other = createSealedLogins({ keys: () => parseTokenKeys([second, first]), ...options });
  const text = (await one.seal('a token')) ?? '';
  t.match(text, /^[\w-]+$/, 'fit for a cookie');
  t.notMatch(Buffer.from(text, 'base64url').toString('latin1'), 'a token');
  t.equal(await other.open(text), 'a token');
  now = 1_000;
  t.equal(await other.open(text), undefined);
});

test('what other keys sealed, or what was changed, opens nothing', async (t) => {
  const keys = randomTokenKeys();
  const one = createSealedLogins({ keys: () => keys, lastsMs: 1_000 });
  const other = createSealedLogins({ keys: randomTokenKeys, lastsMs: 1_000 });
  const text = (await one.seal('a token')) ?? '';
  t.equal(await other.open(text), undefined);
  t.equal(await one.open(`${text.slice(0, -2)}xx`), undefined);
  for (const broken of ['', 'x', text.slice(5)]) t.equal(await one.open(broken), undefined);
});

test('the largest token that is sealed fits into a cookie', async (t) => {
  const logins = createSealedLogins({ keys: randomTokenKeys, lastsMs: 1_000 });
  t.ok(((await logins.seal('x'.repeat(2_900))) ?? '').length < 4_000);
  t.equal(await logins.seal('x'.repeat(2_901)), undefined);
});
