/**
 * A relay on TCP level that plays the way to an upstream: far away, slow for each connection, or
 * one that cuts bodies. It counts what crosses.
 */
import { connect, type Socket } from 'node:net';
import { answerRelay, type Meter } from './relay.ts';

export interface ConditionOptions {
  readonly targetPort: number;
  /** Added to the time until each answer, and once for the handshake of a connection. Default 0. */
  readonly roundTripMs?: number;
  /** Of one connection. Default: as fast as the loopback. */
  readonly bytesPerSecond?: number;
  /** Each blob whose number is a multiple of it is cut after half of its bytes. Default: none. */
  readonly cutsEvery?: number;
}

/** So much waits for its time; then the upstream waits, too. */
const mostWaitingBytes = 8e6;
const blobRequest = /^GET \/v2\/[^ ]+\/blobs\//;
const bodyLength = /\r\ncontent-length: *(\d+)/i;

class Way {
  readonly #options: ConditionOptions;
  readonly #meter: Meter;
  #blobs = 0;

  constructor(options: ConditionOptions, meter: Meter) {
    this.#options = options;
    this.#meter = meter;
  }

  accept(client: Socket): void {
    const { targetPort, roundTripMs = 0 } = this.#options;
    const upstream = connect({ port: targetPort, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    const line = new Line(client, upstream, this.#options);
    let isFirst = true;
    client.on('data', (chunk: Buffer) => {
      this.#asked(chunk, line);
      const delayMs = isFirst ? roundTripMs : 0;
      isFirst = false;
      if (delayMs > 0) setTimeout(() => upstream.write(chunk), delayMs);
      else upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      this.#meter.received(chunk);
      line.received(chunk);
    });
    client.on('end', () => upstream.end());
    upstream.on('end', () => line.ended());
    for (const socket of [client, upstream]) socket.on('error', () => line.close());
    for (const socket of [client, upstream]) socket.on('close', () => socket === client && line.close());
  }

  #asked(chunk: Buffer, line: Line): void {
    if (!blobRequest.test(this.#meter.sent(chunk))) return;
    this.#blobs += 1;
    const { cutsEvery } = this.#options;
    if (cutsEvery !== undefined && this.#blobs % cutsEvery === 0) line.cutNext();
  }
}

/** What comes from the upstream on one connection, and when it reaches the client. */
class Line {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #roundTripMs: number;
  readonly #msPerByte: number;
  readonly #waiting: { readonly atMs: number; readonly chunk: Buffer }[] = [];
  #waitingBytes = 0;
  #lastMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #isFull = false;
  #cut: 'no' | 'next' | number = 'no';

  constructor(client: Socket, upstream: Socket, options: ConditionOptions) {
    this.#client = client;
    this.#upstream = upstream;
    this.#roundTripMs = options.roundTripMs ?? 0;
    this.#msPerByte = options.bytesPerSecond === undefined ? 0 : 1000 / options.bytesPerSecond;
  }

  /** Cuts the body of the next answer. */
  cutNext(): void {
    this.#cut = 'next';
  }

  received(chunk: Buffer): void {
    const now = performance.now();
    const spacedMs = this.#lastMs + chunk.byteLength * this.#msPerByte;
    const atMs = Math.max(now + this.#roundTripMs, spacedMs);
    this.#lastMs = atMs;
    this.#waiting.push({ atMs, chunk });
    this.#waitingBytes += chunk.byteLength;
    if (this.#waitingBytes > mostWaitingBytes) this.#upstream.pause();
    this.#pump();
  }

  ended(): void {
    this.#hasEnded = true;
    this.#pump();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#client.destroy();
    this.#upstream.destroy();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#isFull) return;
    for (;;) {
      const [head] = this.#waiting;
      if (head === undefined) break;
      const waitMs = head.atMs - performance.now();
      if (waitMs > 0.2) {
        this.#timer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= head.chunk.byteLength;
      if (!this.#sent(head.chunk)) return;
    }
    if (this.#waitingBytes < mostWaitingBytes) this.#upstream.resume();
    if (this.#hasEnded && this.#waiting.length === 0) this.#client.end();
  }

  /** Whether more may be sent now. */
  #sent(chunk: Buffer): boolean {
    if (this.#cut === 'next') this.#cut = halfOf(chunk);
    if (typeof this.#cut === 'number') {
      this.#cut -= chunk.byteLength;
      if (this.#cut <= 0) {
        this.#client.write(chunk.subarray(0, chunk.byteLength + this.#cut), () => this.close());
        return false;
      }
    }
    if (this.#client.write(chunk)) return true;
    this.#isFull = true;
    this.#client.once('drain', () => {
      this.#isFull = false;
      this.#pump();
    });
    return false;
  }
}

/** The bytes of the head and of half of the body of an answer that begins with this chunk. */
function halfOf(chunk: Buffer): number | 'no' {
  const head = chunk.toString('latin1', 0, 4000);
  const end = head.indexOf('\r\n\r\n');
  const length = Number(bodyLength.exec(head.slice(0, Math.max(0, end)))?.[1] ?? 0);
  return end < 0 || length === 0 || !/^HTTP\/1\.1 20[06]/.test(head) ? 'no' : end + 4 + Math.ceil(length / 2);
}

answerRelay((options: ConditionOptions, meter) => {
  const way = new Way(options, meter);
  return (client) => way.accept(client);
});
