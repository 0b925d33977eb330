import { field, isText, listOf } from '../../base/text/json.ts';
import { type Clock, hasSlept, systemClock } from '../../base/time/wait.ts';
import type { MemberList } from '../../fleet/members/lists.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { listItems } from '../../kubernetes/list.ts';
import { watched } from '../../kubernetes/watch.ts';

interface EndpointSlicesOptions {
  readonly client: Pick<KubernetesClient, 'stream' | 'close'>;
  readonly namespace: string;
  /** The Service whose pods are the members. */
  readonly service: string;
  /** The name of the port between members; with one port alone it needs none. */
  readonly port?: string;
  /** The slices could not be listed or watched: the list stays what it was. */
  readonly failed: (error: unknown) => void;
  readonly clock?: Clock;
}

/** An EndpointSlice of `discovery.k8s.io/v1`, in which nothing is sure to be there. */
interface EndpointSlice {
  readonly metadata?: {
    readonly name?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly ports?: unknown;
  readonly endpoints?: unknown;
}

const serviceLabel = 'kubernetes.io/service-name';
const listMs = 10_000;
const pauseMs = 2_000;

/**
 * The pods behind a Service, by its EndpointSlices: ready or not, since pings tell who answers; but
 * those that end are left out at once. Needs the right to list and watch `endpointslices` in the
 * namespace.
 */
export function createSliceList(options: EndpointSlicesOptions): MemberList {
  const { client, failed, clock = systemClock } = options;
  const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(options.namespace)}/endpointslices`;
  const closing = new AbortController();
  const { signal } = closing;
  const slices = new Map<string, EndpointSlice>();

  function noted(type: string, slice: EndpointSlice): void {
    const { name, labels } = slice.metadata ?? {};
    if (name === undefined || labels?.[serviceLabel] !== options.service) return;
    if (type === 'DELETED') slices.delete(name);
    else slices.set(name, slice);
  }

  async function listed(): Promise<string> {
    const items = listItems<EndpointSlice>(client, { path, timeoutMs: listMs, signal });
    slices.clear();
    for (let next = await items.next(); ; next = await items.next()) {
      if (next.done === true) return next.value.resourceVersion ?? '';
      noted('ADDED', next.value);
    }
  }

  async function run(tell: (members: readonly string[]) => void): Promise<void> {
    const told = (): void =>
      tell([...new Set([...slices.values()].flatMap((slice) => membersIn(slice, options.port)))]);
    while (!signal.aborted) {
      try {
        const version = await listed();
        told();
        const seen = (type: string, slice: EndpointSlice): void => {
          noted(type, slice);
          told();
        };
        await watched<EndpointSlice>(client, { path, version, seen, signal });
      } catch (error) {
        if (!signal.aborted) failed(error);
        await hasSlept(pauseMs, signal, clock);
      }
    }
  }

  return {
    follow: (tell) => void run(tell),
    close() {
      closing.abort(new Error('the service is shutting down'));
      void client.close();
    },
  };
}

function membersIn({ ports, endpoints }: EndpointSlice, wanted: string | undefined): readonly string[] {
  const port = listOf(ports).find((each) => wanted === undefined || field(each, 'name') === wanted);
  const number = field(port, 'port');
  if (typeof number !== 'number') return [];
  return listOf(endpoints)
    .filter((endpoint) => field(field(endpoint, 'conditions'), 'terminating') !== true)
    .flatMap((endpoint) => listOf(field(endpoint, 'addresses')).filter(isText))
    .map((address) => (address.includes(':') ? `[${address}]:${number}` : `${address}:${number}`));
}
