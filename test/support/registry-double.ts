import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Digest } from '../../src/oci/digest.ts';
import { toRegistryError } from '../../src/oci/errors.ts';
import { listening } from './listening.ts';
import {
  addBlob,
  addImage,
  addManifest,
  type DoubleImage,
  type Repositories,
  repositoryOf,
} from './registry-contents.ts';
import type { Misbehaviours } from './registry-misbehaviours.ts';
import { type Reply, refuse } from './registry-replies.ts';
import { isRefused, route } from './registry-routes.ts';
import { isAuthorised, tokenAnswer } from './registry-tokens.ts';
import { type DoubleUpload, isPushed } from './registry-uploads.ts';

/** One request as the double saw it. */
export interface RecordedRequest {
  readonly method: string;
  /** As it stood on the wire, without the query. */
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** True when it came to the second origin, where blobs are redirected to. */
  readonly cdn: boolean;
  /** The client's port: the same one means the same connection. */
  readonly clientPort: number;
  /** 0 until it is answered, or when the socket was destroyed instead. */
  status: number;
  /** Body bytes handed to the socket. */
  bytesSent: number;
  /** Body bytes of a push that came in. */
  bytesReceived: number;
}

/**
 * A registry in this process that speaks real HTTP and can misbehave in every way that real ones
 * do.
 */
export interface RegistryDouble {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string;
  readonly host: string;
  /** The second origin's URL. */
  readonly cdnUrl: string;
  /** Every request in order of arrival, to both origins. */
  readonly requests: RecordedRequest[];
  /** Set a field and the next answer is that wrong; see registry-misbehaviours.ts. */
  readonly switches: Misbehaviours;
  /** Keeps a blob under its digest, or, as a lie, under another. */
  addBlob(repository: string, bytes: Uint8Array, digest?: Digest): Digest;
  addManifest(repository: string, bytes: Uint8Array, mediaType: string, ...tags: string[]): Digest;
  /**
   * Believes what a manifest says of itself: keeps it under a digest that its bytes do not have.
   */
  believeManifest(repository: string, manifest: BelievedManifest, ...tags: string[]): void;
  /**
   * A whole image with layers of these sizes in bytes; its content depends on the tag and the sizes
   * only.
   */
  addImage(repository: string, tag: string, image?: { readonly layers?: readonly number[] }): DoubleImage;
  /** Takes a tag away. */
  removeTag(repository: string, tag: string): void;
  /** Takes a manifest away; its tags stay, and lead nowhere. */
  removeManifest(repository: string, digest: Digest): void;
  /** Upload sessions that were neither completed nor cancelled. */
  openUploads(): number;
  /** A blob of a repository, as it was pushed or added. */
  blobOf(repository: string, digest: Digest): Buffer | undefined;
  /** What a tag points to. */
  tagOf(repository: string, tag: string): Digest | undefined;
  /** The requests whose `METHOD /path` contains the text. */
  seen(text: string): RecordedRequest[];
  /** Connections that are open now, and how many were opened so far. */
  readonly connections: { readonly open: number; readonly opened: number };
  /** Every token issued so far is refused from now on. */
  revokeTokens(): void;
  close(): Promise<void>;
}

/** A manifest under a digest of its own choice. */
interface BelievedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

export interface RegistryDoubleOptions {
  /** Serve TLS with these. Default: plain HTTP. */
  readonly tls?: ServerOptions;
}

/** What the origins of one double share. */
export interface DoubleState {
  readonly repositories: Repositories;
  readonly requests: RecordedRequest[];
  readonly switches: Misbehaviours;
  /** Issued bearer tokens and their scopes. */
  readonly tokens: Map<string, string>;
  /** Blobs that are being pushed, by session. */
  readonly uploads: Map<string, DoubleUpload>;
  /** Requests that could have been throttled. */
  counted: number;
  url: string;
  cdnUrl: string;
}

/** Starts the double on a free loopback port. */
export async function registryDouble(options: RegistryDoubleOptions = {}): Promise<RegistryDouble> {
  const repositories: Repositories = new Map();
  const state: DoubleState = {
    repositories,
    requests: [],
    switches: {},
    tokens: new Map(),
    uploads: new Map(),
    counted: 0,
    url: '',
    cdnUrl: '',
  };
  const registry = await origin(state, false, options.tls);
  const cdn = await origin(state, true, options.tls);
  state.url = registry.url;
  state.cdnUrl = cdn.url;
  return {
    url: registry.url,
    host: new URL(registry.url).host,
    cdnUrl: cdn.url,
    requests: state.requests,
    switches: state.switches,
    addBlob: (repository, bytes, digest) => addBlob(repositories, repository, bytes, digest),
    addManifest: (repository, bytes, mediaType, ...tags) =>
      addManifest(repositories, repository, bytes, mediaType, tags),
    believeManifest(repository, { bytes, mediaType, digest }, ...tags) {
      addManifest(repositories, repository, bytes, mediaType, tags, digest);
    },
    addImage: (repository, tag, image) =>
      addImage(repositories, repository, tag, image?.layers ?? [1_000, 2_000]),
    removeTag(repository, tag) {
      repositoryOf(repositories, repository).tags.delete(tag);
    },
    removeManifest(repository, digest) {
      repositoryOf(repositories, repository).manifests.delete(digest);
    },
    openUploads: () => state.uploads.size,
    blobOf: (repository, digest) => repositories.get(repository)?.blobs.get(digest),
    tagOf: (repository, tag) => repositories.get(repository)?.tags.get(tag),
    seen: (text) => state.requests.filter(({ method, path }) => `${method} ${path}`.includes(text)),
    connections: registry.connections,
    revokeTokens: () => state.tokens.clear(),
    async close() {
      await Promise.all([registry.close(), cdn.close()]);
    },
  };
}

async function origin(state: DoubleState, cdn: boolean, tls?: ServerOptions) {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(state, cdn, request, response).catch(() => response.destroy());
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.keepAliveTimeout = 60_000;
  const connections = { open: 0, opened: 0 };
  server.on('connection', (socket: Socket) => {
    connections.open += 1;
    connections.opened += 1;
    socket.once('close', () => {
      connections.open -= 1;
    });
  });
  const { host, close } = await listening(server);
  return { url: `${tls === undefined ? 'http' : 'https'}://${host}`, connections, close };
}

async function answer(state: DoubleState, cdn: boolean, request: IncomingMessage, response: ServerResponse) {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const { headers, method = '' } = request;
  const clientPort = request.socket.remotePort ?? 0;
  const record = { method, path, query, headers, cdn, clientPort, status: 0, bytesSent: 0, bytesReceived: 0 };
  state.requests.push(record);
  const { switches } = state;
  if (switches.down === true) return request.socket.destroy();
  if (switches.dropsRequests !== undefined && switches.dropsRequests > 0) {
    switches.dropsRequests -= 1;
    return request.socket.destroy();
  }
  await switches.holds;
  if (switches.delayMs !== undefined) await pause(switches.delayMs, response);
  for (let at = 0; at < (switches.headBytes ?? 0) / 1_000; at += 1)
    response.setHeader(`x-padding-${at}`, 'p'.repeat(980));
  const reply: Reply = { state, record, request, response };
  if (path === '/token') return tokenAnswer(reply);
  if (isRefused(reply)) return;
  if (!cdn && !isAuthorised(reply)) return;
  try {
    if (!cdn && (await isPushed(reply))) return;
    route(reply);
  } catch (error) {
    const { code, headers: more, message, status } = toRegistryError(error);
    for (const [key, value] of Object.entries(more)) response.setHeader(key, value);
    refuse(reply, status, code, message);
  }
}

function pause(ms: number, response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
