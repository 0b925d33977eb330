import { createServer, type Socket } from 'node:net';
import { type Test, test } from 'tap';
import { Agent } from 'undici';
import { createDownloads } from '../../../src/upstream/download/downloads.ts';
import { longestHead } from '../../../src/upstream/exchange.ts';
import { type Random, seeded } from '../../chaos/random.ts';
import { listening } from '../../support/listening.ts';
import { sized } from '../../support/sized.ts';

/** What a client made of an answer: all of it, or a refusal of its head or of its body. */
type Outcome = string;

const refusal = 'refused';

/** Blanks at the end of a value are not part of it (RFC 9112 section 5); undici keeps them. */
function textOf(status: number, headers: object, body: Buffer): Outcome {
  const fields = Object.entries(headers).map(([name, value]) => {
    const lines = [value].flat().map((line) => String(line).trimEnd());
    return `${name}: ${lines.join(' | ')}`;
  });
  return [status, ...fields.sort(), body.toString('latin1')].join('\n');
}

/** A server that answers each path with its bytes, in the pieces of its seed, and then ends. */
async function answering(t: Test) {
  const answers = new Map<string, Buffer[]>();
  const server = createServer((socket: Socket) => {
    socket
      .on('error', () => undefined)
      .once('data', (request) => {
        const path = /^GET (\S+)/.exec(request.toString('latin1'))?.[1] ?? '';
        send(socket, [...(answers.get(path) ?? [])]);
      });
  });
  const { host, close } = await listening(server);
  t.teardown(close);
  return { host, answers };
}

function send(socket: Socket, pieces: Buffer[]): void {
  const piece = pieces.shift();
  if (piece === undefined) socket.end();
  else socket.write(piece, () => setImmediate(send, socket, pieces));
}

/** Both clients, each of which asks and reads to the end. */
function clients(t: Test, host: string) {
  const downloads = createDownloads();
  const agent = new Agent({ maxHeaderSize: longestHead, pipelining: 1 });
  t.teardown(async () => {
    downloads.close();
    await agent.destroy();
  });
  const line = { tls: { rejectUnauthorized: true }, connectTimeoutMs: 30_000 };
  const limits = { firstByteTimeoutMs: 30_000, progressTimeoutMs: 30_000 };
  return {
    async ours(path: string): Promise<Outcome> {
      const { status, headers, body } = await downloads.get({
        url: new URL(`http://${host}${path}`),
        line,
        ...limits,
      });
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(Buffer.copyBytesFrom(chunk));
      return textOf(status, headers, Buffer.concat(chunks));
    },
    async theirs(path: string): Promise<Outcome> {
      const origin = `http://${host}`;
      const { statusCode, headers, body } = await agent.request({ origin, path, method: 'GET', reset: true });
      return textOf(statusCode, headers, Buffer.from(await body.arrayBuffer()));
    },
  };
}

const names = ['etag', 'X-Thing', 'Docker-Content-Digest', 'content-type', 'Link', 'x-thing'];
const values = ['a', '"quoted"', 'a, b', '', 'x'.repeat(300), ' spaced \t', 'é'];

/** A body, and how it is framed. */
function framed(random: Random): { readonly fields: string[]; readonly body: string } {
  const text = Array.from({ length: random.below(40) }, () => random.pick([...'abc \r\n0;'])).join('');
  const kind = random.pick(['length', 'length', 'chunked', 'close', 'wrong'] as const);
  if (kind === 'length') return { fields: [`Content-Length: ${text.length}`], body: text };
  if (kind === 'close') return { fields: [], body: text };
  if (kind === 'chunked') return { fields: ['Transfer-Encoding: chunked'], body: chunked(text, random) };
  return {
    fields: random.pick([
      [`Content-Length: ${text.length + 1 + random.below(5)}`],
      [`Content-Length: ${text.length}`, `Content-Length: ${text.length + 1}`],
      ['Content-Length: 1x'],
      ['Content-Length: -1'],
      ['Transfer-Encoding: chunked', `Content-Length: ${text.length}`],
    ]),
    body: text,
  };
}

function chunked(text: string, random: Random): string {
  let body = '';
  for (let at = 0; at < text.length; ) {
    const size = 1 + random.below(text.length - at);
    const hex = random.isLucky(0.5) ? size.toString(16) : size.toString(16).toUpperCase();
    const extension = random.isLucky(0.1) ? ';a=b' : '';
    body += `${hex}${extension}\r\n${text.slice(at, at + size)}${random.isLucky(0.95) ? '\r\n' : ''}`;
    at += size;
  }
  if (random.isLucky(0.05)) return body;
  return `${body}0\r\n${random.isLucky(0.1) ? 'X-Trailer: 1\r\n' : ''}\r\n`;
}

/** An answer much as registries write it, now and then with something wrong in it. */
function answerOf(random: Random): string {
  const { fields, body } = framed(random);
  const more = Array.from({ length: random.below(5) }, () => `${random.pick(names)}: ${random.pick(values)}`);
  const lines = [...more, ...fields, ...(random.isLucky(0.2) ? ['Connection: close'] : [])];
  if (random.isLucky(0.05))
    lines.push(random.pick(['no colon', ': no name', 'bad name: 1', ' folded', 'a\0b: 1']));
  const interim = random.isLucky(0.1) ? 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n' : '';
  const version = random.isLucky(0.97) ? 'HTTP/1.1' : random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTX/1.1', '']);
  const status = random.isLucky(0.95)
    ? random.pick(['200 OK', '206 Partial', '404 Not Found', '503 '])
    : '99 X';
  return `${interim}${version} ${status}\r\n${lines.join('\r\n')}${lines.length > 0 ? '\r\n' : ''}\r\n${body}`;
}

function pieces(text: string, random: Random): Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = random.isLucky(0.5)
      ? bytes.length - at
      : 1 + random.below(Math.min(60, bytes.length - at));
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/** undici takes any version that is a digit, a point and a digit. */
function isOtherVersion(text: string): boolean {
  return /(?:^|\r\n\r\n)HTTP\/2\.0 /.test(text);
}

test('our client makes of any answer what undici does', { timeout: 600_000 }, async (t) => {
  const { host, answers } = await answering(t);
  const { ours, theirs } = clients(t, host);
  const counts = { same: 0, refused: 0, stricter: 0 };
  for (let seed = 1; seed <= sized(250, 5_000); seed += 1) {
    const random = seeded(seed);
    const text = answerOf(random);
    const path = `/${seed}`;
    answers.set(path, pieces(text, random));
    const refused = (): Outcome => refusal;
    const [own, other] = await Promise.all([ours(path).catch(refused), theirs(path).catch(refused)]);
    answers.delete(path);
    if (own === other) counts[own === refusal ? 'refused' : 'same'] += 1;
    else if (own === refusal && isOtherVersion(text)) counts.stricter += 1;
    else t.fail(JSON.stringify({ seed, text, own, other }));
  }
  t.ok(counts.same > 100 && counts.refused > 10, JSON.stringify(counts));
});
