import { malformed } from '../exchange.ts';
import type { Framing } from './response-head.ts';

/** Bytes as they come from a connection, chunk by chunk: each until the next. */
export interface IncomingBytes {
  /** Undefined once the other side has ended. */
  next(): Promise<Uint8Array | undefined>;
  /** What was read too far is what `next` gives first. */
  unread(bytes: Uint8Array): void;
}

const longestLine = 8 * 1024;
const mostTrailers = 64;

/**
 * The bytes of a body without its framing; throws when it ends before that says so. What comes
 * behind it stays unread.
 */
export async function* bodyBytes(
  incoming: IncomingBytes,
  framing: Framing,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (framing.kind === 'length') yield* exactly(incoming, framing.bytes);
  else if (framing.kind === 'chunked') yield* unchunked(incoming);
  else
    for (let bytes = await incoming.next(); bytes !== undefined; bytes = await incoming.next()) yield bytes;
}

async function* exactly(
  incoming: IncomingBytes,
  length: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let left = length; left > 0; ) {
    const bytes = await nextOf(incoming);
    if (bytes.byteLength > left) incoming.unread(bytes.subarray(left));
    const wanted = bytes.byteLength > left ? bytes.subarray(0, left) : bytes;
    left -= wanted.byteLength;
    yield wanted;
  }
}

/** RFC 9112 section 7.1; extensions and trailers mean nothing to us. */
async function* unchunked(incoming: IncomingBytes): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(await lineOf(incoming))?.[1];
    if (size === undefined) throw malformed('chunk');
    if (Number.parseInt(size, 16) === 0) break;
    yield* exactly(incoming, Number.parseInt(size, 16));
    if ((await lineOf(incoming)) !== '') throw malformed('chunk');
  }
  for (let trailers = 0; (await lineOf(incoming)) !== ''; trailers += 1)
    if (trailers >= mostTrailers) throw malformed('trailer');
}

/** Up to the next line end, without it. */
async function lineOf(incoming: IncomingBytes): Promise<string> {
  let line = '';
  for (;;) {
    const { buffer, byteOffset, byteLength } = await nextOf(incoming);
    const bytes = Buffer.from(buffer, byteOffset, byteLength);
    const end = bytes.indexOf('\n');
    line += bytes.toString('latin1', 0, end < 0 ? byteLength : end);
    if (line.length > longestLine) throw malformed('chunk');
    if (end < 0) continue;
    incoming.unread(bytes.subarray(end + 1));
    if (!line.endsWith('\r')) throw malformed('chunk');
    return line.slice(0, -1);
  }
}

async function nextOf(incoming: IncomingBytes): Promise<Uint8Array> {
  const bytes = await incoming.next();
  if (bytes === undefined) throw new Error('the connection ended in the middle of an answer');
  return bytes;
}
