import { decodeJwt } from 'jose';
import { test } from 'tap';
import { createGuard } from '../../../src/auth/guards/guard.ts';
import { createTokens } from '../../../src/auth/tokens/token.ts';
import { randomTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { RegistryError } from '../../../src/oci/errors.ts';
import type { Repository } from '../../../src/oci/reference.ts';

const subject = { name: 'somebody', groups: [] };
const locate = (repository: Repository) => ({ upstream: 'quay.io', repository });
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

function guarded(clock = Date.now) {
  const keys = randomTokenKeys();
  const seen: unknown[] = [];
  return {
    seen,
    door: createGuard({
      authenticator: {
        async authenticate(credential) {
          seen.push(credential);
          const isKnown =
            credential.kind === 'bearer'
              ? credential.token === 'sha256~cluster'
              : credential.password === 'right';
          return isKnown ? subject : undefined;
        },
      },
      authorizer: {
        authorize: async ({ name }, { action }) => ({ allowed: true, rule: `${name} ${action}` }),
        visible: async (_subject, _place, tags) => tags,
      },
      tokens: createTokens({ keys: () => keys, audience: 'host', validitySeconds: 300, now: () => clock() }),
    }),
  };
}

test('a token that was granted identifies its subject, narrowed to what it was asked for', async (t) => {
  const { door, seen } = guarded();
  const granted = await door.grant({ authorization: basic('a:right') }, ['repository:x/y:pull,push'], locate);
  t.match(granted, { subject, token: /^ey/, expiresInSeconds: 300 });
  t.match(await door.identify(`Bearer ${'token' in granted ? granted.token : ''}`), {
    subject,
    scopes: ['x/y'],
  });
  t.equal(seen.length, 1, 'the authenticator is not asked about our own token');
});

test('a credential shown directly is not narrowed', async (t) => {
  const { door } = guarded();
  t.same(await door.identify(basic('a:right')), { subject });
  t.same(
    await door.identify('Bearer sha256~cluster'),
    { subject },
    'nor is a token that the authenticator knows',
  );
});

test('what is refused says why', async (t) => {
  let clock = Date.now();
  const { door } = guarded(() => clock);
  t.same(await door.identify(undefined), { refused: 'absent' });
  t.same(await door.identify('Basic Og=='), { refused: 'absent' });
  t.same(await door.identify('Basic'), { refused: 'malformed' });
  t.same(await door.identify(basic('a:wrong')), { refused: 'wrong' });
  t.same(await door.identify('Bearer nonsense'), { refused: 'wrong' });
  const granted = await door.grant({ username: 'a', password: 'right' }, [], locate);
  clock += 301_000;
  t.same(await door.identify(`Bearer ${'token' in granted ? granted.token : ''}`), { refused: 'expired' });
});

test('no token is granted without a login', async (t) => {
  const { door } = guarded();
  t.same(await door.grant({ authorization: undefined }, [], locate), { refused: 'absent' });
  t.same(await door.grant({ username: '', password: '' }, [], locate), { refused: 'absent' });
  t.same(await door.grant({ username: 'a', password: 'wrong' }, [], locate), { refused: 'wrong' });
});

test('a token of ours that is not accepted is not sent to a cluster', async (t) => {
  const { door, seen } = guarded();
  const elsewhere = createTokens({ keys: () => randomTokenKeys(), audience: 'another-host' });
  const { token } = await elsewhere.issue(subject, []);
  t.same(await door.identify(`Bearer ${token}`), { refused: 'unknown-key' });
  t.same(seen, [], 'it may be good for another host');
});

test('who is remembered is identified at once', async (t) => {
  const { door } = guarded();
  const granted = await door.grant({ authorization: basic('a:right') }, [], locate);
  const header = `Bearer ${'token' in granted ? granted.token : ''}`;
  t.ok(door.identify(header) instanceof Promise);
  await door.identify(header);
  t.notOk(door.identify(header) instanceof Promise);
});

test('a token says which of its scopes were in sight, and covers them all', async (t) => {
  const asked: unknown[] = [];
  const keys = randomTokenKeys();
  const door = createGuard({
    authenticator: { authenticate: () => subject },
    authorizer: {
      authorize(_subject, access) {
        asked.push(access);
        if (access.repository === 'partly') return { allowed: false, isPartial: true };
        return { allowed: access.repository === 'mine' };
      },
      visible: async (_subject, _place, tags) => tags,
    },
    tokens: createTokens({ keys: () => keys, audience: 'host' }),
  });
  const found = (repository: Repository) => (repository === 'nowhere' ? undefined : locate(repository));
  const names = ['mine', 'partly', 'theirs', 'nowhere'];
  const granted = await door.grant(
    { authorization: basic('a:b') },
    names.map((name) => `repository:${name}:pull`),
    found,
  );
  const token = 'token' in granted ? granted.token : '';
  t.match(
    decodeJwt(token)['access'],
    names.map((name) => ({ name, actions: name === 'mine' || name === 'partly' ? ['pull'] : [] })),
  );
  t.match(await door.identify(`Bearer ${token}`), { scopes: names });
  t.same(
    asked[0],
    { upstream: 'quay.io', repository: 'mine', action: 'pull' },
    'of a listing, without a tag',
  );
  t.equal(asked.length, 3);
});

test('one request for a token asks about four repositories, however many it names', async (t) => {
  let asked = 0;
  const keys = randomTokenKeys();
  const door = createGuard({
    authenticator: { authenticate: () => subject },
    authorizer: {
      authorize: async () => ({ allowed: ++asked > 0 }),
      visible: async (_subject, _place, tags) => tags,
    },
    tokens: createTokens({ keys: () => keys, audience: 'host' }),
  });
  const scopes = Array.from({ length: 50 }, (_, n) => `repository:a/${n}:pull`);
  const granted = await door.grant({ authorization: basic('a:b') }, scopes, locate);
  t.equal(asked, 4);
  const identity = await door.identify(`Bearer ${'token' in granted ? granted.token : ''}`);
  t.equal('scopes' in identity && identity.scopes?.length, 50, 'the token covers them all');
});

test('a right that cannot be told is no token', async (t) => {
  const door = createGuard({
    authenticator: { authenticate: () => subject },
    authorizer: {
      authorize() {
        throw new RegistryError('UNAVAILABLE', 'x');
      },
      visible: async () => [],
    },
    tokens: createTokens({ keys: () => randomTokenKeys(), audience: 'host' }),
  });
  const granted = door.grant({ authorization: basic('a:b') }, ['repository:a:pull'], locate);
  await t.rejects(granted, { code: 'UNAVAILABLE' });
});
