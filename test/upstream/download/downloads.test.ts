import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import { createDownloads, type DownloadAsk } from '../../../src/upstream/download/downloads.ts';
import type { ConnectOptions } from '../../../src/upstream/download/pooled-socket.ts';
import { testAuthority } from '../../support/certificates.ts';
import { listening } from '../../support/listening.ts';
import { patterned } from '../../support/registry-contents.ts';
import { standStill } from '../../support/stand-still.ts';

interface Test {
  teardown(done: () => unknown): void;
}

/** What a server does with the n-th request on one of its connections. */
type Script = (socket: Socket, request: string, count: number) => void;

/** Of no fact but those that set their own. */
const limits = { firstByteTimeoutMs: 30_000, progressTimeoutMs: 30_000 };
const plain: ConnectOptions = { tls: { rejectUnauthorized: true }, connectTimeoutMs: 30_000 };
const body = patterned(700_000, 'download');
const whole = (bytes: Buffer) => `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`;

/** Serves by the script; both ends are cut when the test ends. */
async function scripted(t: Test, script: Script, { line = plain, server = createServer() } = {}) {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on(line === plain ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections += 1;
    let count = 0;
    let asked = '';
    sockets.add(socket.on('error', () => undefined));
    socket.on('data', (bytes) => {
      asked += bytes.toString('latin1');
      if (!asked.endsWith('\r\n\r\n')) return;
      count += 1;
      script(socket, asked, count);
      asked = '';
    });
  });
  const { host, close } = await listening(server);
  const own = createDownloads();
  t.teardown(async () => {
    own.close();
    await close();
  });
  const url = new URL(`${line === plain ? 'http' : 'https'}://${host}/blob?a=b`);
  return {
    sockets,
    connections: () => connections,
    close: own.close,
    get: (ask: Partial<DownloadAsk> = {}) => own.get({ url, line, ...limits, ...ask }),
  };
}

async function read(answer: { readonly body: AsyncIterable<Uint8Array> }): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(new Uint8Array(chunk));
  return Buffer.concat(chunks);
}

test('one connection serves one download after the other', async (t) => {
  const server = await scripted(t, (socket) => socket.write(Buffer.concat([Buffer.from(whole(body)), body])));
  for (let round = 0; round < 3; round += 1) t.ok((await read(await server.get())).equals(body));
  t.equal(server.connections(), 1);
});

test('a connection remembers nothing of who used it', async (t) => {
  const server = await scripted(t, (socket) => socket.write(`${whole(Buffer.from('ok'))}ok`));
  const used = async () => {
    const { signal } = new AbortController();
    await read(await server.get({ signal }));
    return new WeakRef(signal);
  };
  const users = [await used(), await used(), await used()];
  await used();
  await setImmediate();
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  t.same(
    users.map((user) => user.deref()),
    [undefined, undefined, undefined],
  );
  t.equal(server.connections(), 1);
});

test('a request is what was asked for, and nothing else', async (t) => {
  let asked = '';
  const server = await scripted(t, (socket, request) => {
    asked = request;
    socket.write(whole(Buffer.alloc(0)));
  });
  await read(await server.get({ headers: { authorization: 'Bearer x', range: 'bytes=5-' } }));
  t.match(asked, /^GET \/blob\?a=b HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  t.match(asked, /\r\nauthorization: Bearer x\r\nrange: bytes=5-\r\n\r\n$/);
  await t.rejects(server.get({ headers: { authorization: 'x\r\nhost: evil' } }));
});

test('a body in chunks is put together, wherever its pieces are cut', async (t) => {
  const sizes = [1, 70_000, 3, 400_000];
  let offset = 0;
  const pieces = sizes.map((size) => {
    const piece = body.subarray(offset, offset + size);
    offset += size;
    return [Buffer.from(`${size.toString(16)};name=value\r\n`), piece, Buffer.from('\r\n')];
  });
  const text = Buffer.concat([
    Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'),
    ...pieces.flat(),
    Buffer.from('0\r\ntrailer: x\r\n\r\n'),
  ]);
  const server = await scripted(t, (socket, _, count) => {
    const cut = count * 61;
    socket.write(
      text.subarray(0, cut),
      () => void setImmediate().then(() => socket.write(text.subarray(cut))),
    );
  });
  for (let round = 0; round < 5; round += 1)
    t.ok((await read(await server.get())).equals(body.subarray(0, offset)));
  t.equal(server.connections(), 1);
});

test('a head of 250 KiB is read, wherever its pieces are cut', async (t) => {
  const field = `x: ${'x'.repeat(250 * 1024)}\r\n`;
  const text = `HTTP/1.1 200 OK\r\n${field}content-length: 2\r\n\r\nok`;
  const server = await scripted(t, (socket, _, count) => {
    const cut = text.length - 2 - count;
    socket.write(text.slice(0, cut), () => void setImmediate().then(() => socket.write(text.slice(cut))));
  });
  for (let round = 0; round < 5; round += 1) t.equal((await read(await server.get())).toString(), 'ok');
  t.equal(server.connections(), 1);
});

test('a body without a length ends with its connection', async (t) => {
  const server = await scripted(t, (socket) =>
    socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), body])),
  );
  t.ok((await read(await server.get())).equals(body));
});

test('a body that is cut is no body', async (t) => {
  const server = await scripted(t, (socket) => socket.end(`${whole(body)}only this`));
  await t.rejects(read(await server.get()), /middle of an answer/);
  const chunked = await scripted(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'),
  );
  await t.rejects(read(await chunked.get()), /middle of an answer/);
});

test('a kept connection that the server cut costs no download', async (t) => {
  const server = await scripted(t, (socket, _, count) => {
    if (count > 1) socket.destroy();
    else socket.write(Buffer.concat([Buffer.from(whole(body)), body]));
  });
  await read(await server.get());
  t.ok((await read(await server.get())).equals(body));
  t.equal(server.connections(), 2);
});

test('unrequested bytes end the connection, and are no answer', async (t) => {
  const server = await scripted(t, (socket) => socket.write(`${whole(Buffer.from('one'))}one${whole(body)}`));
  t.equal((await read(await server.get())).toString(), 'one');
  t.equal((await read(await server.get())).toString(), 'one');
  t.equal(server.connections(), 2);
});

test('a connection at rest that is being cut for such bytes is not used for them', async (t) => {
  const server = await scripted(t, (socket) => socket.write(`${whole(Buffer.from('own'))}own`));
  const bell = createServer((socket) => void socket.write('ring')).listen(0, '127.0.0.1');
  await once(bell, 'listening');
  t.teardown(() => bell.close());
  const answers = new Set<string>();
  for (let round = 0; round < 20; round += 1) {
    await read(await server.get());
    const ringing = connect((bell.address() as AddressInfo).port, '127.0.0.1');
    // The loop is held up until both have come, so that the download begins between the bytes and
    // the end of their connection.
    ringing.once('connect', () => {
      for (const socket of server.sockets) socket.write(`${whole(Buffer.from('other'))}other`);
      for (const until = performance.now() + 3; performance.now() < until; );
    });
    await once(ringing, 'data');
    answers.add((await read(await server.get())).toString());
    ringing.destroy();
    for (const socket of server.sockets) socket.destroy();
    server.sockets.clear();
  }
  t.same([...answers], ['own']);
});

test('a download that is cut by us is no body, even where its end is that of the connection', async (t) => {
  const server = await scripted(t, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nsome'));
  const reading = read(await server.get());
  void setImmediate().then(server.close);
  await t.rejects(reading, /cut/);
});

test('a request that is cut by us is not made again', async (t) => {
  const server = await scripted(t, (socket, _, count) => {
    if (count > 1) server.close();
    else socket.write(whole(Buffer.alloc(0)));
  });
  await read(await server.get());
  await t.rejects(server.get(), /cut/);
  t.equal(server.connections(), 1);
});

test('a connection that takes too long fails as any other that does not come about', async (t) => {
  const mute = createServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const own = createDownloads();
  t.teardown(() => {
    own.close();
    mute.close();
  });
  const url = new URL(`https://127.0.0.1:${(mute.address() as AddressInfo).port}/`);
  const line = { ...plain, connectTimeoutMs: 30 };
  await t.rejects(own.get({ url, line, ...limits }), { code: 'ETIMEDOUT' });
});

test('answers before the answer are passed over', async (t) => {
  const early = 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n';
  const server = await scripted(t, (socket) => socket.write(`${early}${early}${whole(Buffer.from('ok'))}ok`));
  t.equal((await read(await server.get())).toString(), 'ok');
});

test('what is no HTTP, or no end of a head, is no answer', async (t) => {
  const garbage = await scripted(t, (socket) => socket.write('SSH-2.0-OpenSSH\r\n\r\n'));
  await t.rejects(garbage.get(), /malformed status line/);
  const endless = await scripted(t, (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(270_000)}`));
  await t.rejects(endless.get(), /malformed head/);
  const switched = await scripted(t, (socket) => socket.write('HTTP/1.1 101 Switching\r\n\r\n'));
  await t.rejects(switched.get(), /malformed status/);
});

test('a silent server is given up, before the head and in the middle of the body', async (t) => {
  const dumb = await scripted(t, () => undefined);
  await t.rejects(dumb.get({ firstByteTimeoutMs: 30 }), /no answer came in time/);
  const stuck = await scripted(t, (socket) => socket.write(`${whole(body)}some`));
  await t.rejects(read(await stuck.get({ progressTimeoutMs: 30 })), /no byte came in time/);
});

test('a server whose bytes this process did not read is not silent', async (t) => {
  const server = await scripted(t, (socket) => socket.write(`${whole(Buffer.from('all of it'))}all`));
  const answer = await server.get({ progressTimeoutMs: 100 });
  const reading = read(answer);
  await setImmediate();
  for (const socket of server.sockets) socket.write(' of it');
  standStill(200);
  t.equal((await reading).toString(), 'all of it');
});

test('a reader that is told to stop has the reason thrown at it, and the connection is cut', async (t) => {
  const server = await scripted(t, (socket) => socket.write(`${whole(body)}some`));
  const leaving = new AbortController();
  const answer = await server.get({ signal: leaving.signal });
  const reading = read(answer);
  leaving.abort(new Error('gone'));
  await t.rejects(reading, /gone/);
  t.ok(answer.body.closed);
  await t.rejects(server.get({ signal: leaving.signal }), /gone/);
});

test('a body that is let go of is over at once, and a second reader gets nothing', async (t) => {
  const server = await scripted(t, (socket) => socket.write(Buffer.concat([Buffer.from(whole(body)), body])));
  const answer = await server.get();
  for await (const _ of answer.body) break;
  t.ok(answer.body.closed);
  t.equal((await read(answer)).length, 0);
  const unread = await server.get();
  const closed = new Promise<void>((resolve) => unread.body.once('close', resolve));
  unread.body.destroy();
  await closed;
  t.equal(server.connections(), 2);
});

test('a reader that leaves with the last byte leaves the connection to the next one', async (t) => {
  const server = await scripted(t, (socket) => socket.write(Buffer.concat([Buffer.from(whole(body)), body])));
  for (let round = 0; round < 3; round += 1) {
    let left = body.length;
    for await (const bytes of (await server.get()).body) {
      left -= bytes.length;
      if (left === 0) break;
    }
  }
  t.equal(server.connections(), 1);
});

test('over TLS the server must prove who it is, and bytes that come in a burst stay in order', async (t) => {
  const authority = testAuthority();
  const { cert, key } = authority.issued();
  const large = patterned(5_000_000, 'burst');
  const script: Script = (socket) => socket.write(Buffer.concat([Buffer.from(whole(large)), large]));
  const trusting: ConnectOptions = { ...plain, tls: { ca: authority.cert, rejectUnauthorized: true } };
  const server = await scripted(t, script, {
    line: trusting,
    server: createTlsServer({ cert, key }) as Server,
  });
  for (let round = 0; round < 2; round += 1) t.ok((await read(await server.get())).equals(large));
  t.equal(server.connections(), 1);
  await t.rejects(server.get({ line: plain }), { code: /CERT|VERIFY/ });
});

test('a slow reader makes the server wait, not this process grow', async (t) => {
  let sent = 0;
  const huge = Buffer.alloc(64 * 1024 * 1024);
  const server = await scripted(t, (socket) => {
    socket.write(whole(huge));
    const more = (): void => {
      const piece = huge.subarray(sent, sent + 1024 * 1024);
      sent += piece.length;
      if (piece.length > 0) socket.write(piece, more);
    };
    more();
  });
  const answer = await server.get();
  const bytes = answer.body[Symbol.asyncIterator]();
  await bytes.next();
  const before = sent;
  await bytes.next();
  t.ok(before < huge.length / 2, `${before} bytes were taken`);
  answer.body.destroy();
});
