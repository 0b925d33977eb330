import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { digestOf } from '../../oci/digest.ts';
import { listening } from '../fronts/listening.ts';

/** A registry in memory: what a fleet pulls from, and copies to. Takes pushes of anyone. */
export interface MemoryRegistry {
  readonly url: string;
  /** Stores an image under a tag. */
  add(repository: string, tag: string, image: StoredImage): Promise<void>;
  /** Forgets the repository. Blobs stay. */
  remove(repository: string): void;
  /** What the tag points to; undefined: there is none. */
  digestOf(repository: string, tag: string): string | undefined;
  close(): Promise<void>;
}

interface StoredContent {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** The part of a generated image that is stored. */
interface StoredImage {
  readonly blobs: readonly {
    readonly descriptor: { readonly digest: string };
    readonly body: () => AsyncIterable<Uint8Array>;
  }[];
  readonly root: {
    readonly descriptor: { readonly mediaType: string; readonly digest: string };
    readonly bytes: Uint8Array;
  };
}

interface RegistryCall {
  readonly method: string;
  readonly repository: string;
  readonly reference: string;
  readonly query: URLSearchParams;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Listens on loopback (distribution spec, "Pull" and "Push"; no mounts, no listings). */
export async function createMemoryRegistry(): Promise<MemoryRegistry> {
  const registry = new Contents();
  const server = createServer((incoming, outgoing) => {
    incoming.on('error', () => undefined);
    outgoing.on('error', () => undefined);
    registry.answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const { port, close } = await listening(server);
  return {
    url: `http://127.0.0.1:${port}`,
    async add(repository, tag, { blobs, root }) {
      for (const { descriptor, body } of blobs) registry.blobs.set(descriptor.digest, await bytesOf(body()));
      registry.put(repository, tag, { bytes: root.bytes, mediaType: root.descriptor.mediaType });
    },
    remove: (repository) => void registry.repositories.delete(repository),
    digestOf: (repository, tag) => registry.digests(repository).get(tag),
    close,
  };
}

class Contents {
  readonly blobs = new Map<string, Uint8Array>();
  readonly repositories = new Map<string, Map<string, string>>();
  readonly #manifests = new Map<string, StoredContent>();
  readonly #uploads = new Map<string, Uint8Array[]>();
  #lastUpload = 0;

  /** The digests of a repository, by tags. */
  digests(repository: string): Map<string, string> {
    const known = this.repositories.get(repository) ?? new Map<string, string>();
    this.repositories.set(repository, known);
    return known;
  }

  put(repository: string, reference: string, content: StoredContent): string {
    const digest = digestOf(content.bytes);
    this.#manifests.set(digest, content);
    if (!reference.includes(':')) this.digests(repository).set(reference, digest);
    return digest;
  }

  async answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming;
    const { pathname, searchParams: query } = new URL(url, 'http://registry');
    if (pathname === '/v2/') return void outgoing.writeHead(200).end('{}');
    const [, repository = '', kind = '', reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs|blobs\/uploads)\/([^/]*)$/.exec(pathname) ?? [];
    const call = { method, repository, reference, query, incoming, outgoing };
    if (kind === 'manifests') return method === 'PUT' ? this.#putManifest(call) : this.#manifest(call);
    if (kind === 'blobs/uploads') return this.#upload(call);
    if (kind === 'blobs') return this.#blob(call);
    return missing(outgoing, 'NAME_UNKNOWN');
  }

  async #manifest({ method, repository, reference, outgoing }: RegistryCall): Promise<void> {
    const digest = reference.includes(':') ? reference : this.digests(repository).get(reference);
    const found = this.#manifests.get(digest ?? '');
    if (digest === undefined || found === undefined) return missing(outgoing, 'MANIFEST_UNKNOWN');
    const headers = {
      'content-type': found.mediaType,
      'content-length': found.bytes.byteLength,
      'docker-content-digest': digest,
    };
    outgoing.writeHead(200, headers).end(method === 'HEAD' ? undefined : found.bytes);
  }

  async #putManifest({ repository, reference, incoming, outgoing }: RegistryCall): Promise<void> {
    const mediaType = incoming.headers['content-type'] ?? '';
    const digest = this.put(repository, reference, { bytes: await bytesOf(incoming), mediaType });
    outgoing.writeHead(201, { 'docker-content-digest': digest, location: `/v2/${repository}` }).end();
  }

  async #blob({ method, reference, incoming, outgoing }: RegistryCall): Promise<void> {
    const bytes = this.blobs.get(reference);
    if (bytes === undefined) return missing(outgoing, 'BLOB_UNKNOWN');
    const [, first] = /^bytes=(\d+)-(\d*)$/.exec(incoming.headers.range ?? '') ?? [];
    const [, , last] = /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? '') ?? [];
    const start = Number(first ?? 0);
    const end = Math.min(bytes.byteLength, last === undefined ? bytes.byteLength : Number(last) + 1);
    const part = bytes.subarray(start, end);
    const headers = {
      'content-type': 'application/octet-stream',
      'content-length': part.byteLength,
      'docker-content-digest': reference,
      ...(first === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.byteLength}` }),
    };
    outgoing.writeHead(first === undefined ? 200 : 206, headers).end(method === 'HEAD' ? undefined : part);
  }

  async #upload({ method, repository, reference, query, incoming, outgoing }: RegistryCall): Promise<void> {
    const bytes = await bytesOf(incoming);
    const isNew = method === 'POST';
    if (isNew) this.#lastUpload += 1;
    const id = isNew ? `${this.#lastUpload}` : reference;
    const parts = isNew ? [] : this.#uploads.get(id);
    if (parts === undefined) return missing(outgoing, 'BLOB_UPLOAD_UNKNOWN');
    this.#uploads.set(id, [...parts, bytes]);
    const whole = Buffer.concat([...parts, bytes]);
    const digest = query.get('digest');
    if (method !== 'PUT' || digest === null) {
      const range = `0-${Math.max(0, whole.byteLength - 1)}`;
      const location = `/v2/${repository}/blobs/uploads/${id}`;
      return void outgoing.writeHead(method === 'GET' ? 204 : 202, { location, range }).end();
    }
    this.#uploads.delete(id);
    if (digestOf(whole) !== digest) return void outgoing.writeHead(400).end();
    this.blobs.set(digest, whole);
    outgoing.writeHead(201, { location: `/v2/${repository}/blobs/${digest}` }).end();
  }
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

function missing(outgoing: ServerResponse, code: string): void {
  const body = JSON.stringify({ errors: [{ code, message: 'the registry of the drill has none' }] });
  outgoing.writeHead(404, { 'content-type': 'application/json' }).end(body);
}
