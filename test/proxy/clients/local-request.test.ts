import { test } from 'tap';
import { createLocalRequests } from '../../../src/proxy/clients/local-request.ts';

const isLocal = createLocalRequests({
  names: ['metrics.example', '0.0.0.0'],
  proxies: () => ['127.0.0.9/32'],
});

function from(remoteAddress: string | undefined, headers: Readonly<Record<string, string>> = {}): boolean {
  return isLocal({ socket: { remoteAddress }, headers: { host: 'localhost:8401', ...headers } });
}

test('a program on this host is local, under each name of ours and whatever port leads here', (t) => {
  for (const address of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1']) t.ok(from(address), address);
  for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:18401', '[::1]:8401', 'metrics.example:8401'])
    t.ok(from('127.0.0.1', { host }), host);
  t.end();
});

test('no other address is local, nor that of a proxy', (t) => {
  for (const address of ['10.0.0.7', '::ffff:10.0.0.7', 'fe80::1', '127.0.0.9', '', undefined])
    t.notOk(from(address), address ?? 'gone');
  t.end();
});

test('a forwarded request is not local, whatever address it names', (t) => {
  for (const field of ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-anything', 'forwarded', 'via'])
    t.notOk(from('127.0.0.1', { [field]: '127.0.0.1' }), field);
  t.end();
});

test('a foreign name that resolves to this host is not ours', (t) => {
  const hosts = [
    'evil.example:8401',
    '0.0.0.0:8401',
    'localhost.evil.example',
    'a@localhost',
    'localhost:x',
    '',
  ];
  for (const host of hosts) t.notOk(from('127.0.0.1', { host }), host);
  t.notOk(isLocal({ socket: { remoteAddress: '127.0.0.1' }, headers: {} }), 'no name at all');
  t.end();
});

test('a page of ours is local, one of another origin is not', (t) => {
  t.ok(from('127.0.0.1', { origin: 'http://localhost:8401', 'sec-fetch-site': 'same-origin' }));
  t.ok(from('127.0.0.1', { 'sec-fetch-site': 'none' }), 'typed by its user');
  for (const origin of ['http://evil.example', 'http://localhost:3000', 'https://localhost:8401', 'null'])
    t.notOk(from('127.0.0.1', { origin }), origin);
  for (const site of ['cross-site', 'same-site', 'x'])
    t.notOk(from('127.0.0.1', { 'sec-fetch-site': site }), site);
  t.end();
});
