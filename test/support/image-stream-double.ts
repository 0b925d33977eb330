import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { createKubernetesClient, type KubernetesClient } from '../../src/kubernetes/client.ts';
import { testAuthority } from './certificates.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import { type LeaseBody, leaseShelf } from './lease-shelf.ts';
import { listening } from './listening.ts';

/** Every way in which the double can be wrong. All off by default; set and unset at any time. */
interface ApiMisbehaviours {
  /** Every request is answered with this status. */
  answersStatus?: number;
  /** A watch, also one that is open, gets nothing any more, nor does it end. */
  hangs?: boolean;
  /** A watch is refused as too old: by its status, or by an event. */
  forgets?: 'status' | 'event';
  /** A watch ends as soon as it began. */
  closesWatches?: boolean;
  /** A write of a Lease is done, and its connection cut before the answer. */
  cutsAnswers?: boolean;
}

interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** What a tag of a stream stands for. */
export interface DoubleTag {
  readonly digest: string;
  readonly created?: string;
  readonly mediaType?: string;
  readonly layerMediaTypes?: readonly string[];
}

/**
 * An API server in this process with ImageStreams, their tags, and Leases; one that checks versions
 * and forgets old ones.
 */
interface ImageStreamDouble {
  readonly requests: ApiRequest[];
  readonly switches: ApiMisbehaviours;
  /** Connections that are open at this moment. */
  readonly connections: number;
  /** Watches that are open. */
  readonly watches: number;
  /** The Leases, by `namespace/name`. */
  readonly leases: ReadonlyMap<string, LeaseBody>;
  /** A kubeconfig, as it stands in a file. */
  readonly kubeconfig: string;
  /** Talks to it, until it is closed. */
  readonly client: KubernetesClient;
  /** Makes the stream, or gives it these tags; open watches are told. */
  put(stream: string, tags: Readonly<Record<string, DoubleTag>>): void;
  /** The same for a stream in full, as the API server has it. */
  putObject(stream: string, body: StreamBody): void;
  remove(stream: string): void;
  /** Ends every open watch. */
  cutWatches(): void;
  /** Sends a bookmark to every watch. */
  bookmark(): void;
  close(): Promise<void>;
}

/** What stands in a stream beside its metadata. */
interface StreamBody {
  readonly spec?: object;
  readonly status?: object;
}

interface Stream {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly tags: Readonly<Record<string, DoubleTag>>;
  readonly body?: StreamBody;
}

interface Change {
  readonly version: number;
  readonly line: string;
}

const root = '/apis/image.openshift.io/v1';
const leasePath = /^\/apis\/coordination\.k8s\.io\/v1\/namespaces\/([^/]+)\/leases(?:\/([^/]+))?$/;
const listPath = /^\/apis\/image\.openshift\.io\/v1\/(?:namespaces\/([^/]+)\/)?imagestreams$/;
const streamPath = /^\/apis\/image\.openshift\.io\/v1\/namespaces\/([^/]+)\/imagestreams\/([^/]+)$/;
const tagPath = /^\/apis\/image\.openshift\.io\/v1\/namespaces\/([^/]+)\/imagestreamtags\/([^/:]+):([^/:]+)$/;

export async function imageStreamDouble(): Promise<ImageStreamDouble> {
  const authority = testAuthority();
  const token = randomUUID();
  const streams = new Map<string, Stream>();
  const changes: Change[] = [];
  const watches = new Set<ServerResponse>();
  const requests: ApiRequest[] = [];
  const switches: ApiMisbehaviours = {};
  const shelf = leaseShelf(() => nextVersion());
  let version = 100;
  let connections = 0;

  function nextVersion(): string {
    version += 1;
    return `${version}`;
  }

  function tell(type: string, object: object): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    if (type !== 'BOOKMARK') changes.push({ version, line });
    if (switches.hangs === true) return;
    // An ended one is there until its connection is closed.
    for (const watch of watches) if (!watch.writableEnded) watch.write(line);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '', 'https://double');
    const path = decodeURIComponent(pathname);
    const { method = '' } = request;
    requests.push({ method, path, query });
    const body = await text(request);
    if (request.headers.authorization !== `Bearer ${token}`) return refuse(response, 401);
    if (switches.answersStatus !== undefined) return refuse(response, switches.answersStatus);
    const lease = leasePath.exec(path);
    if (lease !== null) {
      const { status, object } = shelf.answer(method, { namespace: lease[1], name: lease[2] }, body);
      if (switches.cutsAnswers === true && method !== 'GET') request.socket.destroy();
      return send(response, status, object);
    }
    if (query.get('watch') === 'true') return watch(response, Number(query.get('resourceVersion')));
    const list = listPath.exec(path);
    if (list !== null) return send(response, 200, page(list[1], query));
    const one = streamPath.exec(path);
    const stream = one === null ? undefined : streams.get(`${one[1]}/${one[2]}`);
    if (stream !== undefined) return send(response, 200, streamObject(stream));
    const [, namespace, name, tag = ''] = tagPath.exec(path) ?? [];
    const found = streams.get(`${namespace}/${name}`)?.tags[tag];
    return found === undefined ? refuse(response, 404) : send(response, 200, tagObject(found));
  }

  function watch(response: ServerResponse, from: number): void {
    if (switches.forgets === 'status') refuse(response, 410);
    if (switches.forgets === 'status' || switches.hangs === true) return;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (switches.forgets === 'event') {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410 } })}\n`);
      return;
    }
    for (const change of changes) if (change.version > from) response.write(change.line);
    watches.add(response);
    response.once('close', () => watches.delete(response));
    if (switches.closesWatches === true) response.end();
  }

  function page(namespace: string | undefined, query: URLSearchParams): object {
    const all = [...streams.values()].filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    );
    const [at = '0', listed = `${version}`] = query.get('continue')?.split('@') ?? [];
    const end = Number(at) + Number(query.get('limit') ?? all.length);
    const rest = end < all.length ? { continue: `${end}@${listed}` } : {};
    const items = all.slice(Number(at), end).map(streamObject);
    return { kind: 'ImageStreamList', metadata: { resourceVersion: listed, ...rest }, items };
  }

  function put(key: string, content: Omit<Stream, 'metadata'>): void {
    const [namespace = '', name = ''] = key.split('/');
    const before = streams.get(key);
    const resourceVersion = nextVersion();
    const uid = before?.metadata.uid ?? `uid-${resourceVersion}`;
    const stream = { metadata: { namespace, name, uid, resourceVersion }, ...content };
    streams.set(key, stream);
    tell(before === undefined ? 'ADDED' : 'MODIFIED', streamObject(stream));
  }

  const server = createServer(authority.issued(), (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.on('secureConnection', (socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });
  const { host, close } = await listening(server);
  const config = kubeconfigOf(host, authority.cert, token);
  const client = createKubernetesClient({ kubeconfig: async () => config });

  return {
    requests,
    switches,
    leases: shelf.leases,
    get connections() {
      return connections;
    },
    get watches() {
      return watches.size;
    },
    kubeconfig: config.exportConfig(),
    client,
    put: (key, tags) => put(key, { tags }),
    putObject: (key, body) => put(key, { tags: {}, body }),
    remove(key) {
      const stream = streams.get(key);
      streams.delete(key);
      if (stream === undefined) return;
      const metadata = { ...stream.metadata, resourceVersion: nextVersion() };
      tell('DELETED', streamObject({ ...stream, metadata }));
    },
    cutWatches: () => {
      for (const watch of watches) watch.end();
    },
    bookmark: () => tell('BOOKMARK', { kind: 'ImageStream', metadata: { resourceVersion: nextVersion() } }),
    async close() {
      await client.close();
      await close();
    },
  };
}

function streamObject({ metadata, tags, body }: Stream): object {
  return {
    apiVersion: root.slice('/apis/'.length),
    kind: 'ImageStream',
    metadata,
    ...(body ?? { status: statusOf(tags) }),
  };
}

function statusOf(tags: Stream['tags']): object {
  const created = '2026-01-01T00:00:00Z';
  return {
    tags: Object.entries(tags).map(([tag, { digest, created: at = created }]) => ({
      tag,
      items: digest === '' ? null : [{ created: at, image: digest }],
    })),
  };
}

function tagObject({ digest, created, mediaType, layerMediaTypes = [] }: DoubleTag): object {
  return {
    kind: 'ImageStreamTag',
    image: {
      metadata: { name: digest, creationTimestamp: created },
      dockerImageManifestMediaType: mediaType,
      dockerImageLayers: layerMediaTypes.map((type) => ({ mediaType: type })),
    },
  };
}

function refuse(response: ServerResponse, code: number): void {
  send(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code });
}

function send(response: ServerResponse, status: number, object: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(object));
}
