import type { IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import { createKubernetesClient, type KubernetesClient } from '../../src/kubernetes/client.ts';
import { type ApiAnswer, answeringApi } from './answering-api.ts';

interface ConfigMapObject {
  readonly metadata: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, string>>;
}

interface EventObject {
  readonly metadata: Readonly<Record<string, string>>;
  readonly type: string;
  readonly reason: string;
  readonly note: string;
  readonly regarding: Readonly<Record<string, string>>;
}

/** An API server in this process with Events and ConfigMaps of the namespace `quayside`. */
interface ObjectDouble {
  /** A kubeconfig, as it stands in a file. */
  readonly kubeconfig: string;
  readonly client: KubernetesClient;
  readonly events: readonly EventObject[];
  readonly configMaps: Map<string, ConfigMapObject>;
  /** `METHOD path` of each request. */
  readonly requests: string[];
  readonly switches: {
    /** Every request is answered with this status. */
    answersStatus: number | undefined;
    /** So many updates meet one of another writer, made just before. */
    conflicts: number;
  };
}

const eventsPath = '/apis/events.k8s.io/v1/namespaces/quayside/events';
const mapsPath = '/api/v1/namespaces/quayside/configmaps';

/** Ends with the test. */
export async function objectDouble(t: Test): Promise<ObjectDouble> {
  const events: EventObject[] = [];
  const configMaps = new Map<string, ConfigMapObject>();
  const requests: string[] = [];
  const switches: ObjectDouble['switches'] = { answersStatus: undefined, conflicts: 0 };
  let version = 0;

  function kept(name: string, body: ConfigMapObject): ConfigMapObject {
    version += 1;
    const object = { ...body, metadata: { ...body.metadata, resourceVersion: String(version) } };
    configMaps.set(name, object);
    return object;
  }

  function answerTo({ method = '', url = '' }: IncomingMessage, body: string): ApiAnswer {
    requests.push(`${method} ${url}`);
    if (switches.answersStatus !== undefined) return [switches.answersStatus, {}];
    const object = body === '' ? undefined : JSON.parse(body);
    if (url === eventsPath && method === 'POST') return [201, events[events.push(object) - 1] ?? {}];
    if (url === mapsPath && method === 'POST') {
      const { name } = object.metadata;
      return configMaps.has(name) ? [409, {}] : [201, kept(name, object)];
    }
    const name = url.startsWith(`${mapsPath}/`) ? url.slice(mapsPath.length + 1) : '';
    const held = configMaps.get(name);
    if (held === undefined) return [404, {}];
    if (method === 'GET') return [200, held];
    if (switches.conflicts > 0) {
      switches.conflicts -= 1;
      kept(name, { ...held, data: { ...held.data, theirs: String(version) } });
    }
    const isCurrent = object.metadata.resourceVersion === configMaps.get(name)?.metadata['resourceVersion'];
    return isCurrent ? [200, kept(name, object)] : [409, {}];
  }

  const config = await answeringApi(t, answerTo);
  const client = createKubernetesClient({ kubeconfig: async () => config, timeoutMs: 30_000 });
  t.teardown(() => client.close());
  return { kubeconfig: config.exportConfig(), client, events, configMaps, requests, switches };
}
