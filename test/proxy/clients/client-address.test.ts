import { test } from 'tap';
import { createClientAddress } from '../../../src/proxy/clients/client-address.ts';
import { createWorkWatch } from '../../support/work-watch.ts';

const trusted = ['10.0.0.0/8', '2001:db8:aaaa::/48'];
const addressOf = createClientAddress(trusted);
const from = (remoteAddress: string | undefined, headers: Readonly<Record<string, string>> = {}) => ({
  headers,
  socket: { remoteAddress },
});

/** What a proxy at 10.0.0.1 says, and who the client then is. */
const forwardedFor: readonly (readonly [header: string, client: string])[] = [
  ['192.0.2.1', '192.0.2.1'],
  ['  192.0.2.1\t', '192.0.2.1'],
  ['192.0.2.1:4711', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['2001:DB8:0:0::1', '2001:db8::1'],
  ['[2001:db8::1]', '2001:db8::1'],
  ['[2001:db8::1]:4711', '2001:db8::1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['[::ffff:c000:201]:80', '192.0.2.1'],
  ['198.51.100.7, 192.0.2.1', '192.0.2.1'],
  ['198.51.100.7,192.0.2.1,10.0.0.2', '192.0.2.1'],
  ['192.0.2.1, ::ffff:10.0.0.3, 2001:db8:aaaa::2, 10.0.0.2', '192.0.2.1'],
  ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['192.0.2.1, unknown, 10.0.0.2', '10.0.0.2'],
  ['192.0.2.1, , 10.0.0.2', '10.0.0.2'],
  ['nonsense, 192.0.2.1', '192.0.2.1'],
  ['"192.0.2.1, 192.0.2.2', '192.0.2.2'],
  ['', '10.0.0.1'],
  ['unknown', '10.0.0.1'],
  ['192.0.2.1,', '10.0.0.1'],
  ['192.0.2', '10.0.0.1'],
  ['192.0.2.256', '10.0.0.1'],
  ['192.0.2.01', '10.0.0.1'],
  ['192.0.2.1:', '10.0.0.1'],
  ['192.0.2.1:port', '10.0.0.1'],
  ['192.0.2.1/24', '10.0.0.1'],
  ['[192.0.2.1]', '10.0.0.1'],
  ['[2001:db8::1', '10.0.0.1'],
  ['fe80::1%eth0', '10.0.0.1'],
  ['for=192.0.2.1', '10.0.0.1'],
];

/** The same in the words of RFC 7239. */
const forwarded: readonly (readonly [header: string, client: string])[] = [
  ['for=192.0.2.1', '192.0.2.1'],
  ['For="192.0.2.1:4711"', '192.0.2.1'],
  ['for="[2001:db8::1]"', '2001:db8::1'],
  ['proto=https;for="[2001:db8::1]:_port";by=10.0.0.1', '2001:db8::1'],
  ['for=198.51.100.7, for=192.0.2.1; host="a.example", for=10.0.0.2', '192.0.2.1'],
  ['for="x, for=192.0.2.1', '192.0.2.1'],
  ['for=198.51.100.7;x=", for="[2001:db8::1]"', '2001:db8::1'],
  ['for=192.0.2.1, for=_hidden, for=10.0.0.2', '10.0.0.2'],
  ['for=unknown', '10.0.0.1'],
  ['proto=https', '10.0.0.1'],
  ['for=192.0.2.1;for=192.0.2.2', '10.0.0.1'],
  ['for=192.0.2.1;', '10.0.0.1'],
  ['for="192.0.2.1', '10.0.0.1'],
  ['for="192.0.2.\\1"', '10.0.0.1'],
  ['192.0.2.1', '10.0.0.1'],
];

test('the client is the rightmost address of X-Forwarded-For that is no trusted proxy', async (t) => {
  for (const [header, client] of forwardedFor)
    t.equal(addressOf(from('10.0.0.1', { 'x-forwarded-for': header })), client, header);
});

test('without X-Forwarded-For it is that of Forwarded', async (t) => {
  for (const [header, client] of forwarded)
    t.equal(addressOf(from('10.0.0.1', { forwarded: header })), client, header);
});

test('beside X-Forwarded-For, Forwarded says nothing', async (t) => {
  const headers = { 'x-forwarded-for': 'unknown', forwarded: 'for=192.0.2.1' };
  t.equal(addressOf(from('10.0.0.1', headers)), '10.0.0.1');
});

test('a proxy is known in either notation of its address', async (t) => {
  const headers = { 'x-forwarded-for': '192.0.2.1' };
  for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', '2001:db8:aaaa::1'])
    t.equal(addressOf(from(peer, headers)), '192.0.2.1', peer);
});

test('what a peer says that is no trusted proxy means nothing', async (t) => {
  const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1' };
  for (const peer of ['11.0.0.1', '2001:db8:aaab::1', '::ffff:11.0.0.1', 'fe80::1%eth0'])
    t.equal(addressOf(from(peer, headers)), peer);
  t.equal(addressOf(from(undefined, headers)), '', 'a connection that is gone has no address');
});

test('without trusted proxies no header is looked at', async (t) => {
  const headers = new Proxy({}, { get: () => t.fail('a field was read') });
  t.equal(createClientAddress([])({ headers, socket: { remoteAddress: '10.0.0.1' } }), '10.0.0.1');
});

test('a header as long as one may be is read in no time, whatever is in it', async (t) => {
  const longest = 64 * 1024;
  const workMs = createWorkWatch();
  for (const part of ['10.0.0.1,', '"', ',"', ';', 'for=10.0.0.1,', 'for="10.0.0.1";', '1', ':', '[']) {
    const text = part.repeat(longest / part.length);
    addressOf(from('10.0.0.1', { 'x-forwarded-for': text }));
    addressOf(from('10.0.0.1', { forwarded: text }));
  }
  t.ok(workMs() < 1000);
});

test('a comma in quotes does not part two elements', async (t) => {
  const forwarded = 'for=192.0.2.1;host="a,b", for=10.0.0.2';
  t.equal(addressOf(from('10.0.0.1', { forwarded })), '192.0.2.1');
});
