import type { IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import { type ApiAnswer, answeringApi } from './answering-api.ts';

/** Any object of a cluster. */
export interface DoubleObject {
  readonly metadata: {
    readonly namespace?: string;
    readonly name: string;
    readonly resourceVersion?: string;
    readonly [name: string]: unknown;
  };
  readonly [name: string]: unknown;
}

/** An API server in this process with objects of any kinds: pages, JSON patches and versions. */
interface KindsDouble {
  /** A kubeconfig, as it stands in a file. */
  readonly kubeconfig: string;
  /** `METHOD path` of each request, without query. */
  readonly requests: string[];
  /** The bodies of patches. */
  readonly patches: string[];
  readonly switches: {
    /** Kinds that may not be listed. */
    forbidden: readonly string[];
    /** So many patches meet a change of another writer, made just before: it adds a label. */
    conflicts: number;
    /** What a patch of these objects, by name, is answered with; it is not made. */
    refuses: ReadonlyMap<string, number>;
    /** So many requests for a page that is not the first are answered with 410. */
    expires: number;
    /** Items of a page, whatever was asked for. */
    pageItems: number;
    /** Called before each patch is made. */
    patching: () => void;
  };
  put(path: string, object: DoubleObject): void;
  remove(path: string, key: string): void;
  /** By the path of its list, and `namespace/name`. */
  get(path: string, key: string): DoubleObject | undefined;
}

interface PatchStep {
  readonly op: string;
  readonly path: string;
  readonly value: unknown;
}

/** With the lists of these paths, such as `/apis/apps/v1/deployments`. Ends with the test. */
export async function kindsDouble(t: Test, lists: readonly string[]): Promise<KindsDouble> {
  const shelves = new Map(lists.map((path) => [path, new Map<string, DoubleObject>()]));
  const requests: string[] = [];
  const patches: string[] = [];
  const switches: KindsDouble['switches'] = {
    forbidden: [],
    conflicts: 0,
    refuses: new Map(),
    expires: 0,
    pageItems: 2,
    patching: () => undefined,
  };
  let version = 0;

  function put(path: string, object: DoubleObject): DoubleObject {
    version += 1;
    const { namespace, name } = object.metadata;
    const kept = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    shelves.get(path)?.set(namespace === undefined ? name : `${namespace}/${name}`, kept);
    return kept;
  }

  function page(
    shelf: ReadonlyMap<string, DoubleObject>,
    query: URLSearchParams,
    namespace?: string,
  ): ApiAnswer {
    const [field, value] = (query.get('fieldSelector') ?? '').split('=');
    const all = [...shelf.values()].filter(
      (object) =>
        (field === '' || object[field ?? ''] === value) &&
        (namespace === undefined || object.metadata.namespace === namespace),
    );
    const from = Number(query.get('continue') ?? 0);
    if (from > 0 && switches.expires > 0) {
      switches.expires -= 1;
      return [410, {}];
    }
    const end = from + Math.min(switches.pageItems, Number(query.get('limit') ?? Number.POSITIVE_INFINITY));
    // As Kubernetes: lists by a selector do not say how much is left.
    const left = query.has('fieldSelector') ? {} : { remainingItemCount: all.length - end };
    const next = end < all.length ? { continue: String(end), ...left } : {};
    return [200, { kind: 'List', metadata: { resourceVersion: '1', ...next }, items: all.slice(from, end) }];
  }

  function patched(path: string, object: DoubleObject, body: string, part: string | undefined): ApiAnswer {
    patches.push(body);
    switches.patching();
    const status = switches.refuses.get(object.metadata.name);
    if (status !== undefined) return [status, { kind: 'Status', message: `refused: ${body}` }];
    if (switches.conflicts > 0) {
      switches.conflicts -= 1;
      put(path, { ...object, metadata: { ...object.metadata, labels: { theirs: String(version) } } });
    }
    const { namespace, name } = object.metadata;
    const current = shelves.get(path)?.get(namespace === undefined ? name : `${namespace}/${name}`);
    const copy = structuredClone(current);
    for (const step of JSON.parse(body) as readonly PatchStep[]) if (!isDone(copy, step)) return [422, {}];
    if (copy === undefined || current === undefined) return [404, {}];
    if (copy.metadata.resourceVersion !== current.metadata.resourceVersion) return [409, {}];
    const { status: itsStatus, ...rest } = current;
    if (part === 'status') return [200, put(path, { ...rest, status: copy['status'] } as DoubleObject)];
    const { status: _status, ...whole } = copy;
    return [
      200,
      put(path, { ...whole, ...(itsStatus === undefined ? {} : { status: itsStatus }) } as DoubleObject),
    ];
  }

  function answerTo({ method = '', url = '', headers }: IncomingMessage, body: string): ApiAnswer {
    const { pathname, searchParams } = new URL(url, 'https://double');
    requests.push(`${method} ${pathname}`);
    const [, root = '', namespace, resource = '', name, part] =
      /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(
        decodeURIComponent(pathname),
      ) ?? [];
    const path = `${root}/${resource}`;
    const shelf = shelves.get(path);
    if (switches.forbidden.includes(resource)) return [403, {}];
    if (shelf === undefined) return [404, {}];
    if (name === undefined) return page(shelf, searchParams, namespace);
    const object = shelf.get(namespace === undefined ? name : `${namespace}/${name}`);
    if (object === undefined) return [404, {}];
    if (method === 'GET') return [200, object];
    if (headers['content-type'] !== 'application/json-patch+json') return [415, {}];
    return patched(path, object, body, part);
  }

  const config = await answeringApi(t, answerTo);
  return {
    kubeconfig: config.exportConfig(),
    requests,
    patches,
    switches,
    put: (path, object) => void put(path, object),
    remove: (path, key) => void shelves.get(path)?.delete(key),
    get: (path, key) => shelves.get(path)?.get(key),
  };
}

/** Makes one step of a JSON patch: `replace` alone. False for one that does not apply. */
function isDone(object: unknown, { op, path, value }: PatchStep): boolean {
  const names = path
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = names.pop() ?? '';
  const holder = names.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined),
    object,
  );
  if (op !== 'replace' || typeof holder !== 'object' || holder === null || !(last in holder)) return false;
  return Reflect.set(holder, last, value);
}
