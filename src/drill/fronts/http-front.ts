import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { sleep } from '../../base/time/wait.ts';
import type { Certificate } from './certificates.ts';
import { type HttpFault, troubled } from './faults.ts';
import { listening, reset } from './listening.ts';

/** A way to a server of HTTP, that passes everything until it has a fault. */
export interface HttpFront {
  readonly url: string;
  readonly host: string;
  /** From now on, also for what is under way; undefined: it passes again. */
  set(fault: HttpFault | undefined): void;
  /** How many requests and new connections met the fault, or the certificate, since it was set. */
  met(): number;
  /** Shows another certificate from the next connection on, and cuts those that are open. */
  certify(certificate: Certificate): void;
  close(): Promise<void>;
}

/** Plain HTTP, or TLS by the certificate. `target`: an origin, such as `http://127.0.0.1:5000`. */
export async function createHttpFront(target: string, certificate?: Certificate): Promise<HttpFront> {
  const front = new TroubledRequests(target);
  const listener: RequestListener = (incoming, outgoing) => front.take(incoming, outgoing);
  const tls = certificate === undefined ? undefined : createTlsServer({ ...certificate }, listener);
  const server = tls ?? createServer(listener);
  server.requestTimeout = 0;
  server.on('connection', (socket: Socket) => front.connected(socket));
  tls?.on('tlsClientError', () => undefined);
  const { port, close } = await listening(server);
  const host = `127.0.0.1:${port}`;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    set: (fault) => front.set(fault),
    met: () => front.met,
    certify(next) {
      (tls as TlsServer | undefined)?.setSecureContext({ ...next });
      front.certified();
    },
    async close() {
      front.close();
      await close();
    },
  };
}

class TroubledRequests {
  readonly #target: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sockets = new Set<Socket>();
  /** Those that were open when the server fell silent. */
  #paused: readonly Socket[] = [];
  #fault: HttpFault | undefined;
  /** Whether connections count: they meet a certificate. */
  #isCertified = false;
  met = 0;
  /** Aborts what the present fault holds up. */
  #held = new AbortController();

  constructor(target: string) {
    this.#target = target;
  }

  connected(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#fault?.kind === 'dead' || this.#isCertified) this.met += 1;
    if (this.#fault?.kind === 'dead') return void reset(socket);
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /**
   * A server that was hung or gone comes back: what it held up then breaks off. Connections that
   * were idle go on.
   */
  set(fault: HttpFault | undefined): void {
    this.#fault = fault;
    this.#isCertified = false;
    this.met = 0;
    this.#held.abort();
    this.#held = new AbortController();
    if (fault?.kind === 'dead') this.cut();
    for (const socket of this.#paused) socket.resume();
    this.#paused = fault?.kind === 'silent' && fault.meets === undefined ? [...this.#sockets] : [];
    for (const socket of this.#paused) socket.pause();
  }

  certified(): void {
    this.#isCertified = true;
    this.met = 0;
    this.cut();
  }

  cut(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  close(): void {
    this.#held.abort();
    this.#agent.destroy();
    this.cut();
  }

  take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = 'GET', url: path = '/' } = incoming;
    const fault = this.#fault?.meets?.(method, path) === false ? undefined : this.#fault;
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    if (fault !== undefined) this.met += 1;
    if (fault?.kind === 'dead') return void reset(incoming.socket);
    if (fault?.kind === 'silent') return void this.#hold(incoming);
    if (fault?.answer !== undefined) {
      const { status, headers, body } = fault.answer;
      incoming.resume();
      return void outgoing.writeHead(status, headers).end(method === 'HEAD' ? '' : body);
    }
    this.#pass(incoming, outgoing, fault).catch(() => outgoing.destroy());
  }

  #hold(incoming: IncomingMessage): void {
    incoming.socket.pause();
    this.#held.signal.addEventListener('abort', () => incoming.socket.destroy(), { once: true });
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse, fault: HttpFault | undefined) {
    const { signal } = this.#held;
    const pause = (ms: number): Promise<void> => sleep(ms, signal);
    const { method = 'GET', url: asked = '/', headers } = incoming;
    const path = (fault?.kind === 'swapped' ? fault.instead?.(asked) : undefined) ?? asked;
    if (fault?.headMs !== undefined) await pause(fault.headMs);
    const stated = fault?.kind === 'swapped' ? await this.#digestHeader(asked) : {};
    const onward = request(this.#target + path, { method, headers, agent: this.#agent });
    outgoing.once('close', () => onward.destroy());
    const [, answer] = await Promise.all([pipeline(incoming, onward), answerTo(onward)]);
    const length = Number(answer.headers['content-length'] ?? Number.NaN);
    const known = Number.isFinite(length) ? length : undefined;
    const isShort = fault?.kind === 'truncated' && known !== undefined && method !== 'HEAD';
    const own = isShort ? { 'content-length': String(Math.floor(known / 2)) } : {};
    outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...stated, ...own });
    // A body that is under way when the server goes silent stops where it is.
    await pipeline(answer, (chunks) => this.#body(chunks, fault, known, pause), outgoing);
  }

  /** What the answer to a request would have said of its content. */
  async #digestHeader(path: string): Promise<Readonly<Record<string, string>>> {
    const onward = request(this.#target + path, { method: 'HEAD', agent: this.#agent }).end();
    const answer = await answerTo(onward);
    answer.resume();
    const digest = answer.headers['docker-content-digest'];
    return typeof digest === 'string' ? { 'docker-content-digest': digest } : {};
  }

  async *#body(
    chunks: AsyncIterable<Uint8Array>,
    fault: HttpFault | undefined,
    length: number | undefined,
    pause: (ms: number) => Promise<void>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of fault === undefined ? chunks : troubled(chunks, fault, length, pause)) {
      if (this.#fault?.kind === 'silent' && fault === undefined) {
        this.met += 1;
        await aborted(this.#held.signal);
      }
      yield chunk;
    }
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('it was silent')), { once: true }),
  );
}

function answerTo(onward: ReturnType<typeof request>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => onward.once('response', resolve).once('error', reject));
}
