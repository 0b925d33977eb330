import dns, { type LookupAddress } from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'tap';
import { isPrivateHost, publicLookup } from '../../../src/upstream/http/addresses.ts';

for (const host of [
  '127.0.0.1',
  '10.1.2.3',
  '100.64.0.1',
  '169.254.169.254',
  '172.31.255.255',
  '192.168.1.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::1',
  '[::1]',
  '::',
  'fd00::1',
  'fe80::1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
  '64:ff9b::127.0.0.1',
  'localhost',
  'LOCALHOST.',
  'a.localhost',
]) {
  test(`${host} is private`, async (t) => t.ok(isPrivateHost(host)));
}

for (const host of [
  '8.8.8.8',
  '172.32.0.1',
  '2600:1f18::1',
  '64:ff9b::808:808',
  'quay.io',
  'localhost.example.com',
]) {
  test(`${host} is not private`, async (t) => t.notOk(isPrivateHost(host)));
}

test('a name with a private address does not resolve', async (t) => {
  const answer = await new Promise((resolve) => {
    publicLookup('localhost', {}, (error) => resolve(error));
  });
  t.match(answer, { code: 'UPSTREAM_INVALID' });
});

test('a name with a private address among public ones does not resolve', async (t) => {
  type Done = (error: null, found: readonly LookupAddress[]) => void;
  const found = ['8.8.8.8', '10.0.0.1'].map((address) => ({ address, family: 4 }));
  t.teardown(syncBuiltinESMExports);
  t.intercept(dns, 'lookup', { value: (_name: string, _options: unknown, done: Done) => done(null, found) });
  syncBuiltinESMExports();
  const answer = await new Promise((resolve) => {
    publicLookup('mixed.example.com', {}, (error) => resolve(error));
  });
  t.match(answer, { code: 'UPSTREAM_INVALID' });
});

test('a public address resolves to itself, alone or in a list', async (t) => {
  const one = await new Promise((resolve) => {
    publicLookup('8.8.8.8', {}, (_error, address, family) => resolve([address, family]));
  });
  const all = await new Promise((resolve) => {
    publicLookup('8.8.8.8', { all: true }, (_error, addresses) => resolve(addresses));
  });
  t.same(one, ['8.8.8.8', 4]);
  t.same(all, [{ address: '8.8.8.8', family: 4 }]);
});
