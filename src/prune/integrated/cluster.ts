import { field, textOf } from '../../base/text/json.ts';
import type { KubernetesClient } from '../../kubernetes/client.ts';
import { ApiFailure, unless } from '../../kubernetes/failure.ts';
import { listItems } from '../../kubernetes/list.ts';

/** A kind whose objects may use images, and where its list is below the namespace. */
interface UsingKind {
  readonly kind: string;
  readonly root: string;
  readonly plural: string;
  /** Whether a cluster may lack it. */
  readonly isOptional?: true;
}

const usingKinds: readonly UsingKind[] = [
  { kind: 'pod', root: '/api/v1', plural: 'pods' },
  { kind: 'replicationcontroller', root: '/api/v1', plural: 'replicationcontrollers' },
  { kind: 'buildconfig', root: '/apis/build.openshift.io/v1', plural: 'buildconfigs', isOptional: true },
  { kind: 'build', root: '/apis/build.openshift.io/v1', plural: 'builds', isOptional: true },
  { kind: 'daemonset', root: '/apis/apps/v1', plural: 'daemonsets' },
  { kind: 'deployment', root: '/apis/apps/v1', plural: 'deployments' },
  {
    kind: 'deploymentconfig',
    root: '/apis/apps.openshift.io/v1',
    plural: 'deploymentconfigs',
    isOptional: true,
  },
  { kind: 'replicaset', root: '/apis/apps/v1', plural: 'replicasets' },
  { kind: 'statefulset', root: '/apis/apps/v1', plural: 'statefulsets' },
  { kind: 'job', root: '/apis/batch/v1', plural: 'jobs' },
  { kind: 'cronjob', root: '/apis/batch/v1', plural: 'cronjobs' },
];

const imageRoot = '/apis/image.openshift.io/v1';
const pageSize = 500;
const pageMs = 120_000;
const maxObjectBytes = 64 * 1024 * 1024;

/** An object as the API server wrote it, which goes back as it came. */
export type ApiObject = Readonly<Record<string, unknown>>;

/** What pruning does in a cluster. Throws `ApiFailure`, or the signal's reason. */
export interface PrunedCluster {
  /** Every object of every namespace that may use an image. Refuses where a kind is not told. */
  users(signal: AbortSignal): AsyncGenerator<{ readonly kind: string; readonly object: unknown }>;
  limitRanges(signal: AbortSignal): AsyncGenerator<unknown>;
  /** Of one namespace, or of all. */
  streams(namespace: string | undefined, signal: AbortSignal): AsyncGenerator<unknown>;
  images(signal: AbortSignal): AsyncGenerator<unknown>;
  /** Undefined where there is none. */
  stream(namespace: string, name: string, signal: AbortSignal): Promise<ApiObject | undefined>;
  /** Undefined where there is none. */
  image(name: string, signal: AbortSignal): Promise<ApiObject | undefined>;
  /** `conflict`: it was changed meanwhile; `gone`: it is no more. */
  putStatus(stream: ApiObject, signal: AbortSignal): Promise<'written' | 'conflict' | 'gone'>;
  /** One that is not there is fine. */
  deleteImage(name: string, signal: AbortSignal): Promise<void>;
}

/**
 * The objects of a cluster. Needs the right to list all these kinds, to delete Images, and to
 * update the status of image streams (`system:image-pruner`).
 */
export function createPrunedCluster(client: KubernetesClient): PrunedCluster {
  async function* listed(path: string, signal: AbortSignal): AsyncGenerator<unknown> {
    let next: string | undefined;
    do {
      const query = new URLSearchParams({ limit: `${pageSize}`, ...(next && { continue: next }) });
      const page = listItems<object>(client, { path: `${path}?${query}`, timeoutMs: pageMs, signal });
      const { continue: rest } = yield* page;
      next = rest || undefined;
    } while (next !== undefined);
  }
  const streamPath = (namespace: string, name: string): string =>
    `${imageRoot}/namespaces/${encodeURIComponent(namespace)}/imagestreams/${encodeURIComponent(name)}`;
  const imagePath = (name: string): string => `${imageRoot}/images/${encodeURIComponent(name)}`;
  const object = (path: string, signal: AbortSignal) =>
    unless(404, client.json<ApiObject>({ path, signal, maxBytes: maxObjectBytes, timeoutMs: pageMs }));
  return {
    async *users(signal) {
      for (const { kind, root, plural, isOptional } of usingKinds)
        try {
          for await (const each of listed(`${root}/${plural}`, signal)) yield { kind, object: each };
        } catch (error) {
          const isAbsent = isOptional === true && error instanceof ApiFailure && error.status === 404;
          if (!isAbsent) throw named(error, plural);
        }
    },
    async *limitRanges(signal) {
      try {
        yield* listed('/api/v1/limitranges', signal);
      } catch (error) {
        throw named(error, 'limitranges');
      }
    },
    async *streams(namespace, signal) {
      const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
      try {
        yield* listed(`${imageRoot}${within}/imagestreams`, signal);
      } catch (error) {
        throw named(error, 'imagestreams');
      }
    },
    async *images(signal) {
      try {
        yield* listed(`${imageRoot}/images`, signal);
      } catch (error) {
        throw named(error, 'images');
      }
    },
    stream: (namespace, name, signal) => object(streamPath(namespace, name), signal),
    image: (name, signal) => object(imagePath(name), signal),
    async putStatus(stream, signal) {
      const metadata = field(stream, 'metadata');
      const [namespace, name] = [textOf(field(metadata, 'namespace')), textOf(field(metadata, 'name'))];
      const path = `${streamPath(namespace ?? '', name ?? '')}/status`;
      const body = JSON.stringify(stream);
      try {
        await client.text({ method: 'PUT', path, body, signal, maxBytes: maxObjectBytes, timeoutMs: pageMs });
        return 'written';
      } catch (error) {
        if (error instanceof ApiFailure && error.status === 409) return 'conflict';
        if (error instanceof ApiFailure && error.status === 404) return 'gone';
        throw error;
      }
    },
    async deleteImage(name, signal) {
      const path = `${imagePath(name)}?gracePeriodSeconds=0`;
      await unless(404, client.text({ method: 'DELETE', path, signal, maxBytes: maxObjectBytes }));
    },
  };
}

/** The same failure, which says of which list. */
function named(error: unknown, plural: string): unknown {
  if (!(error instanceof ApiFailure)) return error;
  const { kind, predicate, status } = error;
  const hint =
    status === 403 ? '; what it uses would be unprotected: make sure to update clusterRoleBindings' : '';
  return new ApiFailure(kind, `${predicate} for the list of ${plural}${hint}`, {
    cause: error,
    ...(status === undefined ? {} : { status }),
  });
}
