import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'tap';
import { openedMemberPort } from '../../src/app/replicas/member-port.ts';
import { pathOf, targetOf } from '../../src/fleet/protocol/ask.ts';
import { createSeals, parseFleetKeys } from '../../src/fleet/protocol/seals.ts';
import { patterned } from '../support/registry-contents.ts';
import { fleetKey, fleetRig } from './rig.ts';

const seals = createSeals(() => [fleetKey]);

async function said(address: string, text: string): Promise<string> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  socket.end(text);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

const bare = /^HTTP\/1\.1 404 Not Found\r\n/;
const end = 'host: x\r\nconnection: close\r\n';

const strangers = {
  'a path that cannot be decoded': `GET /%zz HTTP/1.1\r\n${end}\r\n`,
  'a body of a strange type': `POST /fleet/v1/news HTTP/1.1\r\n${end}content-type: a/b\r\ncontent-length: 2\r\n\r\n{}`,
  'a body that is no JSON': `POST / HTTP/1.1\r\n${end}content-type: application/json\r\ncontent-length: 2\r\n\r\n{x`,
  'a long path': `GET /${'a'.repeat(2_000)} HTTP/1.1\r\n${end}\r\n`,
  'OPTIONS *': `OPTIONS * HTTP/1.1\r\n${end}\r\n`,
  'a request without a host': 'GET /fleet/v1/ping HTTP/1.1\r\nconnection: close\r\n\r\n',
  'bytes that are no request': 'hello\r\n\r\n',
  HEAD: `HEAD / HTTP/1.1\r\n${end}\r\n`,
  'a path of members without a proof': `GET /fleet/v1/ping HTTP/1.1\r\n${end}\r\n`,
  'a proof that is none': `GET /fleet/v1/ping HTTP/1.1\r\n${end}quayside-ask: e30.AAAA\r\n\r\n`,
};

test('a stranger gets a bare 404, whatever it sends', async (t) => {
  const rig = await fleetRig(t, { members: 1 });
  const [member] = rig.members;
  for (const [name, text] of Object.entries(strangers)) {
    const answer = await said(member?.name ?? '', text);
    t.match(answer, bare, name);
    t.notMatch(answer, /quayside|registry\/2\.0|errors/, name);
  }
});

test('a stranger gets a bare 404 while the key file cannot be read', async (t) => {
  const port = await openedMemberPort({
    listen: '127.0.0.1:0',
    seals: createSeals(() => Promise.resolve(parseFleetKeys(''))),
    registries: new Map(),
    pong: () => ({ instance: 'x', isLeaving: false }),
    told: () => undefined,
  });
  t.teardown(() => port.close());
  t.match(
    await said(port.address, `GET /fleet/v1/ping HTTP/1.1\r\n${end}quayside-ask: e30.AA\r\n\r\n`),
    bare,
  );
});

test('a proof is for one method, one path and one process, and a copy of it gets no answer', async (t) => {
  const rig = await fleetRig(t, { members: 1 });
  const [member] = rig.members;
  if (member === undefined) throw new Error('a member');
  const told: unknown[] = [];
  member.fleet.follow((news) => told.push(news));
  const path = '/fleet/v1/news';
  const news = [{ kind: 'failed-login', address: '10.0.0.7' }, { kind: 'moved', repository: '..' }, 'odd'];
  const from = { asker: 'one', number: 7, to: member.fleet.pong().instance };
  const statement = { target: targetOf('GET', path), nonce: 'n', at: Date.now() - 250_000, news, ...from };
  const asked = async (place: string, changes: object = {}, method = 'GET') => {
    const headers = { 'quayside-ask': await seals.seal('ask', { ...statement, ...changes }) };
    return (await fetch(`http://${member.name}${place}`, { headers, method })).status;
  };
  t.equal(await asked('/fleet/v1/ping'), 404);
  t.equal(await asked(path, {}, 'POST'), 404);
  for (const changes of [{ to: 'another' }, { to: undefined }, { asker: undefined }, { number: 0.5 }])
    t.equal(await asked(path, changes), 404, JSON.stringify(changes));
  t.same([await asked(path), await asked(path)], [200, 404]);
  t.equal(told.length, 1);
  t.same([await asked(path, { number: 6 }), await asked(path, { asker: 'other' })], [200, 200]);
});

test('the port closes at the end of the grace time although a member takes nothing', async (t) => {
  const rig = await fleetRig(t, { members: 1 });
  const [member] = rig.members;
  if (member === undefined) throw new Error('a member');
  const digest = rig.double.addBlob('team/app', patterned(24 * 1024 * 1024, 'big'));
  const path = pathOf({ kind: 'blob', upstream: 'quay.io', repository: rig.repository, digest });
  const from = { asker: 'one', number: 1, to: member.fleet.pong().instance };
  const statement = { target: targetOf('GET', path), nonce: 'n', at: Date.now(), ...from };
  const { hostname, port } = new URL(`http://${member.name}`);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: x\r\nquayside-ask: ${await seals.seal('ask', statement)}\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.pause();
  t.ok(member.port.server.timeout > 0, 'a member that takes nothing is cut by and by');
  const closed = member.port.close();
  member.port.abort();
  await closed;
  socket.destroy();
});
