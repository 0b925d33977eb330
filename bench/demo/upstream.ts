import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import type { GeneratedBlob } from '../../src/load/images/random-blobs.ts';
import type { GeneratedImage, GeneratedManifest } from '../../test/support/images.ts';

/** What the upstream was asked for and what it delivered. */
export interface Traffic {
  readonly requests: number;
  /** Bytes of bodies. */
  readonly bytes: number;
}

/**
 * A registry in this process that makes its blobs while it sends them, counts, and breaks on
 * demand.
 */
export interface DemoUpstream {
  readonly origin: string;
  add(repository: string, tag: string, image: GeneratedImage): void;
  traffic(): Traffic;
  /** The next answer with more than `bytes` bytes loses its connection after so many. */
  cutNextAfter(bytes: number): void;
  /** Goes away, with every connection. Harmless when it is gone. */
  die(): Promise<void>;
}

interface Content {
  readonly manifests: Map<string, GeneratedManifest>;
  readonly blobs: Map<string, GeneratedBlob>;
}

interface Delivery {
  /** Resolves when so many more bytes may leave. */
  pace(bytes: number): Promise<void>;
  sent(bytes: number): void;
  /** After how many bytes of this answer the line breaks; asked once an answer. */
  cut(size: number): number;
}

/** Starts it on a free port; all answers together leave at `bytesPerSecond`. */
export async function demoUpstream(bytesPerSecond: number): Promise<DemoUpstream> {
  const content: Content = { manifests: new Map(), blobs: new Map() };
  let traffic = { requests: 0, bytes: 0 };
  let cutAt = Number.POSITIVE_INFINITY;
  const delivery: Delivery = {
    pace: pacer(bytesPerSecond),
    sent: (bytes) => {
      traffic = { ...traffic, bytes: traffic.bytes + bytes };
    },
    cut: (size) => {
      const at = cutAt;
      if (size > at) cutAt = Number.POSITIVE_INFINITY;
      return at;
    },
  };
  const server = createServer((request, response) => {
    traffic = { ...traffic, requests: traffic.requests + 1 };
    answer(content, delivery, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (repository, tag, image) => keep(content, repository, tag, image),
    traffic: () => traffic,
    cutNextAfter: (bytes) => {
      cutAt = bytes;
    },
    die: () => closed(server),
  };
}

function keep({ manifests, blobs }: Content, repository: string, tag: string, image: GeneratedImage): void {
  const base = `/v2/${repository}`;
  manifests.set(`${base}/manifests/${tag}`, image.root);
  for (const manifest of [image.root, ...image.manifests]) {
    manifests.set(`${base}/manifests/${manifest.descriptor.digest}`, manifest);
  }
  for (const blob of image.blobs) blobs.set(`${base}/blobs/${blob.descriptor.digest}`, blob);
}

async function answer(
  { manifests, blobs }: Content,
  delivery: Delivery,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  const manifest = manifests.get(path);
  const blob = blobs.get(path);
  const found = manifest?.descriptor ?? blob?.descriptor;
  if (path === '/v2/') return void response.writeHead(200).end();
  if (found === undefined) return void response.writeHead(404).end();
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start === 0 ? 200 : 206, {
    'content-type': found.mediaType,
    'content-length': found.size - start,
    'docker-content-digest': found.digest,
    'accept-ranges': 'bytes',
    ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${found.size - 1}/${found.size}` }),
  });
  if (request.method === 'HEAD') return void response.end();
  const body = manifest === undefined ? (blob?.body(start) ?? []) : [manifest.bytes];
  await deliver(body, found.size - start, delivery, response);
}

async function deliver(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
  delivery: Delivery,
  response: ServerResponse,
): Promise<void> {
  const cutAt = delivery.cut(size);
  let sent = 0;
  for await (const chunk of body) {
    if (sent + chunk.byteLength > cutAt) return void response.destroy();
    await delivery.pace(chunk.byteLength);
    if (response.destroyed) return;
    if (!response.write(chunk)) await drained(response);
    sent += chunk.byteLength;
    delivery.sent(chunk.byteLength);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** All callers share one line: each waits until those before it have crossed. */
function pacer(bytesPerSecond: number): (bytes: number) => Promise<void> {
  let freeAt = 0;
  return async (bytes) => {
    const now = performance.now();
    freeAt = Math.max(now, freeAt) + (bytes / bytesPerSecond) * 1000;
    if (freeAt - now > 5) await after(freeAt - now);
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
