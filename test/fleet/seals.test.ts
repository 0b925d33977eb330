import { createServer } from 'node:http';
import { test } from 'tap';
import { answerHeader, askHeader } from '../../src/fleet/protocol/ask.ts';
import { createMemberClient } from '../../src/fleet/protocol/member-client.ts';
import { createSeals } from '../../src/fleet/protocol/seals.ts';
import { createDownloads } from '../../src/upstream/download/downloads.ts';
import { listening } from '../support/listening.ts';
import { fleetKey } from './rig.ts';

const otherKey = 'another-key-of-the-fleet-of-32-characters';
const statement = { path: '/fleet/v1/ping' };

test('a proof for one purpose opens nothing of another', async (t) => {
  const seals = createSeals(() => [fleetKey]);
  const text = await seals.seal('ask', statement);
  t.same(await seals.open('ask', text), statement);
  t.equal(await seals.open('answer', text), undefined);
});

test('while a key is replaced the first one seals, and both open', async (t) => {
  const before = createSeals(() => [fleetKey]);
  const between = createSeals(() => [otherKey, fleetKey]);
  const after = createSeals(() => [otherKey]);
  t.same(await between.open('ask', await before.seal('ask', statement)), statement);
  t.same(await after.open('ask', await between.seal('ask', statement)), statement);
  t.equal(await after.open('ask', await before.seal('ask', statement)), undefined);
});

test('an answer to another question, sent again, is none', async (t) => {
  const seals = createSeals(() => [fleetKey]);
  let isReplay = false;
  const server = createServer((request, response) => {
    void seals.open('ask', String(request.headers[askHeader])).then(async (asked) => {
      const nonce = isReplay ? 'of-another-question' : Reflect.get(Object(asked), 'nonce');
      const pong = { nonce, statement: { instance: 'a', isLeaving: false } };
      response.setHeader(answerHeader, await seals.seal('answer', pong));
      response.end();
    });
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  const wire = createDownloads();
  t.teardown(() => wire.close());
  const line = { tls: { rejectUnauthorized: true }, connectTimeoutMs: 5_000 };
  const client = createMemberClient({ wire, line: () => line, isTls: false, seals });
  t.match(await client.ping(host), { instance: 'a' });
  isReplay = true;
  t.equal(await client.ping(host), undefined);
});
