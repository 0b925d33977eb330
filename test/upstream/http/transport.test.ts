import { createServer } from 'node:net';
import { test } from 'tap';
import { digestOf } from '../../../src/oci/digest.ts';
import { listening } from '../../support/listening.ts';
import { app, pulled, rig, v1 } from '../rig.ts';

const manifest = Buffer.from('{"schemaVersion":2}');
const digest = digestOf(manifest);
const head = [
  'HTTP/1.1 200 OK',
  'content-type: application/vnd.oci.image.manifest.v1+json',
  `content-length: ${manifest.byteLength}`,
  `docker-content-digest: ${digest}`,
].join('\r\n');

/**
 * Answers whatever comes with a manifest's head, and sends `after` behind it; counts connections.
 */
async function headServer(t: { teardown(done: () => unknown): void }, after: string) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('data', () => socket.write(`${head}\r\n\r\n${after}`));
    socket.on('error', () => {});
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return { url: `http://${host}`, connections: () => connections };
}

// The next one may begin before the answer has left the parser: then there are two connections, and
// they take turns.
test('a HEAD leaves its connection to the requests after it', async (t) => {
  const server = await headServer(t, '');
  const { upstream } = await rig(t, { url: server.url });
  for (let round = 0; round < 10; round += 1)
    t.equal((await upstream.statBlob(app, digest))?.size, manifest.byteLength);
  t.ok(server.connections() <= 2, `${server.connections()} connections`);
});

test('a server that sends a body after a HEAD costs a connection, and no request', async (t) => {
  const server = await headServer(t, manifest.toString());
  const { upstream } = await rig(t, { url: server.url, retries: 0 });
  for (let round = 0; round < 3; round += 1)
    t.equal((await upstream.statBlob(app, digest))?.size, manifest.byteLength);
  t.equal(server.connections(), 3);
});

test('a registry whose every answer has a head of 200 KB is read as any other', async (t) => {
  const { registry, upstream } = await rig(t);
  const image = registry.addImage('team/app', 'v1');
  registry.switches.headBytes = 200_000;
  t.equal((await upstream.manifest(app, v1)).kind, 'found');
  t.same((await upstream.tags(app, ''))?.tags, ['v1']);
  t.equal((await pulled(upstream, image.config)).length > 0, true);
});
