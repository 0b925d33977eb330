import { type Digest, parseDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { parseReference, parseRepository, type Reference, type Repository } from './reference.ts';

/** What one request under `/v2/` asks for; the end-points are the distribution spec's. */
export type RegistryRequest =
  /** end-1, `GET /v2/` */
  | { readonly kind: 'ping' }
  /** end-3, `GET|HEAD /v2/<name>/manifests/<reference>` */
  | { readonly kind: 'manifest'; readonly repository: Repository; readonly reference: Reference }
  /** end-2, `GET|HEAD /v2/<name>/blobs/<digest>` */
  | { readonly kind: 'blob'; readonly repository: Repository; readonly digest: Digest }
  /** end-8, `GET /v2/<name>/tags/list`; `query`: `n`, `last`, additions of the upstream's `Link` */
  | { readonly kind: 'tags'; readonly repository: Repository; readonly query: string }
  /** end-12, `GET /v2/<name>/referrers/<digest>` */
  | {
      readonly kind: 'referrers';
      readonly repository: Repository;
      readonly digest: Digest;
      readonly artifactType?: string;
      readonly query: string;
    };

export interface ParsedRequest {
  readonly request: RegistryRequest;
  /** containerd's `?ns=`: the registry that the user wrote (spec main, "Registry Proxying"). */
  readonly namespace?: string;
  /** A first path component with a port, which no repository has, so it means a registry. */
  readonly registry?: string;
}

const prefix = '/v2/';
/** The longest name, tag and digest have some 550 characters, percent-encoded three times. */
const longestPath = 2048;
const longestQuery = 4096;
const noParameters = new URLSearchParams();

const withPort = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?:\d{1,5}$/;

/**
 * The only parse of a request: access decisions and upstream URLs use its result, never the raw
 * text, so that an encoding cannot mean different repositories. Percent-encoding is decoded once.
 * Throws `UNSUPPORTED` for every write, `NAME_INVALID`, `TAG_INVALID`, `DIGEST_INVALID`,
 * `PAGINATION_NUMBER_INVALID`, and `NAME_UNKNOWN` for a path that is not an end-point.
 */
export function parseRequest(method: string, url: string): ParsedRequest {
  const mark = url.indexOf('?');
  const path = decodedPath(mark < 0 ? url : url.slice(0, mark));
  const query = mark < 0 ? '' : url.slice(mark + 1);
  const registry = registryIn(path);
  const rest = registry === undefined ? path : `${prefix}${path.slice(prefix.length + registry.length + 1)}`;
  const parsed = query === '' ? { request: parsePath(rest, noParameters) } : parseWithQuery(rest, query);
  if (method !== 'GET' && method !== 'HEAD') throw readOnly();
  return registry === undefined ? parsed : { ...parsed, registry };
}

function registryIn(path: string): string | undefined {
  const colon = path.indexOf(':');
  if (colon < 0 || !path.startsWith(prefix)) return undefined;
  const slash = path.indexOf('/', prefix.length);
  if (slash < colon) return undefined;
  const first = path.slice(prefix.length, slash);
  return withPort.test(first) ? first : undefined;
}

function parseWithQuery(path: string, query: string): ParsedRequest {
  if (query.length > longestQuery) throw new RegistryError('NAME_INVALID', 'the query is too long');
  const parameters = new URLSearchParams(query);
  const namespace = parameters.get('ns');
  parameters.delete('ns');
  const request = parsePath(path, parameters);
  return namespace === null || namespace === '' ? { request } : { request, namespace };
}

function parsePath(path: string, parameters: URLSearchParams): RegistryRequest {
  if (path === '/v2/' || path === '/v2') return { kind: 'ping' };
  if (path === '/v2/_catalog') throw noCatalog();
  const end = path.lastIndexOf('/');
  const middle = path.lastIndexOf('/', end - 1);
  if (!path.startsWith(prefix) || middle <= prefix.length) throw noEndPoint();
  const name = path.slice(prefix.length, middle);
  const kind = path.slice(middle + 1, end);
  const last = path.slice(end + 1);
  if (isUpload(name, kind, last)) throw readOnly();
  if (kind === 'tags' && last === 'list') return tagsRequest(name, parameters);
  if (last === '') throw noEndPoint();
  switch (kind) {
    case 'manifests':
      return { kind: 'manifest', repository: parseRepository(name), reference: parseReference(last) };
    case 'blobs':
      return { kind: 'blob', repository: parseRepository(name), digest: parseDigest(last) };
    case 'referrers':
      return referrersRequest(parseRepository(name), parseDigest(last), parameters);
    default:
      throw noEndPoint();
  }
}

/** `<name>/blobs/uploads` with or without a session; a repository may end so, too. */
function isUpload(name: string, kind: string, last: string): boolean {
  return kind === 'blobs' ? last === 'uploads' : kind === 'uploads' && name.endsWith('/blobs');
}

function tagsRequest(name: string, parameters: URLSearchParams): RegistryRequest {
  const n = parameters.get('n');
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw new RegistryError('PAGINATION_NUMBER_INVALID', '"n" is not a whole number', {
      detail: { n: n.slice(0, 50) },
    });
  }
  return { kind: 'tags', repository: parseRepository(name), query: parameters.toString() };
}

function referrersRequest(repository: Repository, digest: Digest, asked: URLSearchParams): RegistryRequest {
  const query = asked.toString();
  const artifactType = artifactTypeIn(query);
  return {
    kind: 'referrers',
    repository,
    digest,
    query,
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** The type that a query of a list of referrers asks for. */
export function artifactTypeIn(query: string): string | undefined {
  return new URLSearchParams(query).get('artifactType') ?? undefined;
}

function decodedPath(path: string): string {
  if (path.length > longestPath)
    throw new RegistryError('NAME_INVALID', `the path is longer than ${longestPath} characters`);
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    throw new RegistryError('NAME_INVALID', 'the path holds a malformed percent-encoding');
  }
}

function noEndPoint(): RegistryError {
  return new RegistryError('NAME_UNKNOWN', 'no such end-point of the distribution API');
}

/** ADR 0041. */
function noCatalog(): RegistryError {
  const message = 'there is no catalog here: ask for a repository by its name, or for its tags';
  return new RegistryError('NAME_UNKNOWN', message);
}

function readOnly(): RegistryError {
  return new RegistryError('UNSUPPORTED', 'this service is read-only: push to the upstream registry', {
    headers: { allow: 'GET, HEAD' },
  });
}
