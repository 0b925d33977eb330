import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { listening } from './listening.ts';

interface QuayMisbehaviours {
  /** The status of a DELETE of this tag by the API; undefined: all is well. */
  failsDelete?: (tag: string) => number | undefined;
  /** Every so many-th request is answered 429. */
  throttlesEvery?: number;
}

/** One repository of a Quay: its tags by the distribution API, and by the API of Quay. */
export interface QuayDouble {
  readonly url: string;
  readonly host: string;
  /** How often each kind of request came: `list`, `read`, `delete`, `put`, `throttled`. */
  readonly counts: Map<string, number>;
  readonly switches: QuayMisbehaviours;
  readonly tags: ReadonlyMap<string, string>;
  /** Sets tags, which are sorted once. */
  addTags(tags: Iterable<readonly [tag: string, digest: string]>): void;
  close(): Promise<void>;
}

/** Quay's pages hold no more. */
const mostInPage = 100;
export const quayToken = 'an-oauth-token';

const listPath = /^\/v2\/(.+)\/tags\/list\?(.*)$/;
const readPath = /^\/v2\/(.+)\/manifests\/([^/?]+)$/;
const apiPath = /^\/api\/v1\/repository\/(.+)\/tag\/([^/?]+)$/;

/** Starts it on a free port of loopback. Any number of tags costs a page the same. */
export async function quayDouble(): Promise<QuayDouble> {
  const tags = new Map<string, string>();
  const counts = new Map<string, number>();
  const switches: QuayMisbehaviours = {};
  let names: string[] = [];
  let requests = 0;

  const count = (kind: string): void => void counts.set(kind, (counts.get(kind) ?? 0) + 1);

  function page(query: URLSearchParams): { readonly tags: string[]; readonly isLast: boolean } {
    const size = Math.min(mostInPage, Number(query.get('n') ?? mostInPage));
    const found: string[] = [];
    let at = firstAbove(names, query.get('last') ?? '');
    for (; at < names.length && found.length < size; at += 1) {
      const name = names[at] ?? '';
      if (tags.has(name)) found.push(name);
    }
    return { tags: found, isLast: at >= names.length };
  }

  function set(tag: string, digest: string): void {
    if (!tags.has(tag) && names[firstAbove(names, tag) - 1] !== tag)
      names.splice(firstAbove(names, tag), 0, tag);
    tags.set(tag, digest);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const body = await text(request);
    const said = (status: number, value: object = {}, headers: Record<string, string> = {}): void =>
      void response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(value));
    requests += 1;
    if (switches.throttlesEvery !== undefined && requests % switches.throttlesEvery === 0) {
      count('throttled');
      return said(429);
    }
    const [, repository = '', query = ''] = listPath.exec(url) ?? [];
    if (repository !== '') {
      count('list');
      const { tags: listed, isLast } = page(new URLSearchParams(query));
      const next = `</v2/${repository}/tags/list?n=${mostInPage}&last=${listed.at(-1)}>; rel="next"`;
      return said(200, { name: repository, tags: listed }, isLast ? {} : { link: next });
    }
    const [, , read = ''] = readPath.exec(url) ?? [];
    if (read !== '' && method === 'HEAD') {
      count('read');
      const digest = tags.get(read);
      if (digest === undefined) return said(404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] });
      const type = 'application/vnd.oci.image.manifest.v1+json';
      const headers = { 'docker-content-digest': digest, 'content-type': type, 'content-length': '500' };
      return void response.writeHead(200, headers).end();
    }
    const [, , tag = ''] = apiPath.exec(url) ?? [];
    if (request.headers.authorization !== `Bearer ${quayToken}`) return said(401, { error: 'invalid_token' });
    if (method === 'PUT' && tag !== '') {
      count('put');
      set(tag, JSON.parse(body).manifest_digest);
      return said(201);
    }
    if (method !== 'DELETE' || tag === '') return said(404);
    count('delete');
    const status = switches.failsDelete?.(tag);
    if (status !== undefined) return said(status, { error_message: 'as the switch says' });
    if (!tags.delete(tag)) return said(404, { error_type: 'not_found' });
    response.writeHead(204).end();
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  const { host, close } = await listening(server);
  return {
    ...{ url: `http://${host}`, host, counts, switches, tags, close },
    addTags(more) {
      for (const [tag, digest] of more) tags.set(tag, digest);
      names = [...tags.keys()].sort((one, other) => (one < other ? -1 : 1));
    },
  };
}

/** The place of the first name above this one, in a sorted list. */
function firstAbove(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? '') > name) high = middle;
    else low = middle + 1;
  }
  return low;
}
