import { test } from 'tap';
import { guard } from '../../src/auth/guard.ts';
import { tokens } from '../../src/auth/token.ts';
import { randomTokenKeys } from '../../src/auth/token-keys.ts';
import type { Repository } from '../../src/oci/reference.ts';

const subject = { name: 'somebody', groups: [] };
const locate = (repository: Repository) => ({ upstream: 'quay.io', repository });
const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

function guarded(clock = Date.now) {
  const keys = randomTokenKeys();
  const seen: unknown[] = [];
  return {
    seen,
    door: guard({
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
      tokens: tokens({ keys: () => keys, audience: 'host', validitySeconds: 300, now: () => clock() }),
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
