import { createServer, type ServerResponse } from 'node:http';
import { type Test, test } from 'tap';
import type { Bytes } from '../../../src/oci/content.ts';
import { send } from '../../../src/proxy/http/body.ts';
import { listening } from '../../support/listening.ts';

test('a body whose head cannot be written is released, and another answer can go out', async (t) => {
  const body = watched();
  const refused = (): void => {
    throw new Error('no such field');
  };
  const response = await answered(t, async (res) => {
    await t.rejects(send(res, body.bytes, { begin: refused, sent: ignored }), /no such field/);
    res.writeHead(500).end();
  });
  t.equal(response.status, 500);
  t.equal(body.state, 'released');
});

test('a body whose client has left before its head is released', async (t) => {
  const body = watched();
  const done = Promise.withResolvers<void>();
  const response = answered(t, async (res) => {
    res.destroy();
    await t.rejects(send(res, body.bytes, { begin: ignored, sent: ignored }), { name: 'ClientGone' });
    done.resolve();
  });
  await t.rejects(response);
  await done.promise;
  t.equal(body.state, 'released');
});

test('what fails before the head leaves the answer open, what fails later cuts it', async (t) => {
  const early = await answered(t, async (res) => {
    await t.rejects(send(res, failing(0), { begin: ignored, sent: ignored }), /broken/);
    res.writeHead(503).end();
  });
  t.equal(early.status, 503);
  const late = await answered(t, async (res) => {
    const begin = (): void => void res.writeHead(200, { 'content-length': 10 });
    await t.rejects(send(res, failing(1), { begin, sent: ignored }), /broken/);
  });
  await t.rejects(late.text());
});

const ignored = (): void => {};

/** A body of one chunk that says what became of it. */
function watched(): { readonly bytes: Bytes; readonly state: 'unread' | 'open' | 'released' } {
  let state: 'unread' | 'open' | 'released' = 'unread';
  async function* read(): Bytes {
    state = 'open';
    try {
      yield Buffer.from('x');
    } finally {
      state = 'released';
    }
  }
  return {
    bytes: read(),
    get state() {
      return state;
    },
  };
}

async function* failing(chunks: number): Bytes {
  for (let at = 0; at < chunks; at += 1) yield Buffer.from('x');
  throw new Error('broken');
}

/** The response that the function gives to one request. */
async function answered(t: Test, answer: (res: ServerResponse) => Promise<void>): Promise<Response> {
  const { host, close } = await listening(createServer((_, response) => void answer(response)));
  t.teardown(close);
  return fetch(`http://${host}/`, { headers: { connection: 'close' } });
}
