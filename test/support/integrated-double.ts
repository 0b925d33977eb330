import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { testAuthority } from './certificates.ts';
import { kubeconfigOf } from './kubeconfig.ts';
import { listening } from './listening.ts';

interface IntegratedMisbehaviours {
  /** The status of a DELETE at the registry; undefined: 202. */
  refusesDelete?: (path: string) => number | undefined;
  /** The status of a list of this plural. */
  refusesList?: (plural: string) => number | undefined;
  /** So many updates of a stream's status meet one of another writer. */
  conflicts?: number;
  /** The status of an update of a stream, and of the deletion of an Image. */
  refusesWrite?: (path: string) => number | undefined;
  /** Called in front of each write to either; may throw, which cuts the connection for good. */
  before?: (line: string) => void;
}

type Body = Record<string, unknown> & { readonly metadata: Record<string, unknown> };

const imageApi = '/apis/image.openshift.io/v1';

/** What ends things: a test, or a scenario. */
interface Ending {
  teardown(end: () => void): unknown;
}

/** An API server with the kinds that use images, and an integrated registry; ends with the test. */
export async function integratedDouble(t: Ending) {
  const objects = new Map<string, Body[]>();
  const images = new Map<string, Body>();
  const streams = new Map<string, Body>();
  /** `METHOD path` of each write to either, in order. */
  const writes: string[] = [];
  const switches: IntegratedMisbehaviours = {};
  let version = 0;

  function stamped(body: Body): Body {
    version += 1;
    return { ...body, metadata: { ...body.metadata, resourceVersion: String(version) } };
  }

  function listOf(plural: string, namespace: string | undefined): readonly unknown[] | undefined {
    const all =
      plural === 'images'
        ? [...images.values()]
        : plural === 'imagestreams'
          ? [...streams.values()]
          : (objects.get(plural) ?? []);
    return all.filter(({ metadata }) => namespace === undefined || metadata['namespace'] === namespace);
  }

  function write(method: string, path: string): number | undefined {
    switches.before?.(`${method} ${path}`);
    const status = switches.refusesWrite?.(path);
    if (status === undefined) writes.push(`${method} ${path}`);
    return status;
  }

  function api(method: string, url: string, body: string): readonly [number, object] {
    const [path = ''] = url.split('?', 1);
    const [, namespace = '', name = '', status = ''] =
      /^\/apis\/image\.openshift\.io\/v1\/namespaces\/([^/]+)\/imagestreams\/([^/]+)(\/status)?$/.exec(
        path,
      ) ?? [];
    if (name !== '') {
      const key = `${namespace}/${name}`;
      const held = streams.get(key);
      if (held === undefined) return [404, {}];
      if (method === 'GET') return [200, held];
      if (status === '' || method !== 'PUT') return [405, {}];
      const refusal = write('PUT', path);
      if (refusal !== undefined) return [refusal, {}];
      if (switches.conflicts !== undefined && switches.conflicts > 0) {
        switches.conflicts -= 1;
        streams.set(key, stamped(held));
      }
      const sent: Body = JSON.parse(body);
      if (sent.metadata['resourceVersion'] !== streams.get(key)?.metadata['resourceVersion']) {
        writes.pop();
        return [409, {}];
      }
      // The status subresource takes nothing but the status.
      streams.set(key, stamped({ ...held, status: sent['status'] }));
      return [200, streams.get(key) ?? {}];
    }
    const image = path.startsWith(`${imageApi}/images/`)
      ? decodeURIComponent(path.slice(`${imageApi}/images/`.length))
      : '';
    if (image !== '') {
      const held = images.get(image);
      if (method === 'GET') return held === undefined ? [404, {}] : [200, held];
      const refusal = write('DELETE', `${imageApi}/images/${image}`);
      if (refusal !== undefined) return [refusal, {}];
      return images.delete(image) ? [200, {}] : [404, {}];
    }
    const plural = path.split('/').at(-1) ?? '';
    const refusal = switches.refusesList?.(plural);
    if (refusal !== undefined) return [refusal, {}];
    const [, within] = /\/namespaces\/([^/]+)\//.exec(path) ?? [];
    return [200, { metadata: { resourceVersion: '1' }, items: listOf(plural, within) }];
  }

  const authority = testAuthority();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '' } = request;
    const [status, object] = api(method, url, await text(request));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(object));
  };
  const apiServer = createServer(authority.issued(), (request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const registryServer = createHttpServer((request, response) => {
    const { method = '', url = '' } = request;
    if (method !== 'DELETE') return response.writeHead(200).end();
    const isKnown =
      request.headers.authorization === `Basic ${Buffer.from('pruner:a-token').toString('base64')}`;
    if (!isKnown) return response.writeHead(401).end();
    try {
      switches.before?.(`DELETE ${url}`);
    } catch {
      return response.destroy();
    }
    const refusal = switches.refusesDelete?.(url);
    if (refusal === undefined) writes.push(`DELETE ${url}`);
    return response.writeHead(refusal ?? 202).end();
  });
  const cluster = await listening(apiServer);
  const registry = await listening(registryServer);
  for (const { close } of [cluster, registry]) t.teardown(close);
  const config = kubeconfigOf(cluster.host, authority.cert);
  return {
    ...{ images, streams, writes, switches, kubeconfig: config.exportConfig() },
    registryUrl: `http://${registry.host}`,
    /** An object of a kind, by its plural. */
    add(plural: string, body: Body): void {
      objects.set(plural, [...(objects.get(plural) ?? []), body]);
    },
    addImage(body: Body): void {
      images.set(String(body.metadata['name']), body);
    },
    addStream(body: Body): void {
      streams.set(`${body.metadata['namespace']}/${body.metadata['name']}`, stamped(body));
    },
  };
}
