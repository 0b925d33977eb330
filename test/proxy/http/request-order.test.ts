import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test } from 'tap';
import { createOrderedServer } from '../../../src/proxy/http/request-order.ts';
import { listening } from '../../support/listening.ts';

const limits = { maxHeaderBytes: 16_384, keepAliveMs: 1_000, requestMs: 1_000 };

test('no request begins on a connection that closed just before the answer before it ended', async (t) => {
  const begun: string[] = [];
  const { promise: first, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createOrderedServer((request, response) => {
    begun.push(request.url ?? '');
    response.writeHead(200, { 'content-length': 1 }).write('x', () => resolve(response));
  }, limits);
  const { port, close } = await listening(server);
  t.teardown(close);
  const client = connect(port, '127.0.0.1');
  t.teardown(() => void client.destroy());
  client.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await first;
  const closed = once(answer, 'close');
  client.write('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await closed;
  // As for a body whose last chunk is out. Node says that it has finished, all the same.
  const finished = once(answer, 'finish');
  answer.end();
  await finished;
  await new Promise(setImmediate);
  t.same(begun, ['/1']);
});
