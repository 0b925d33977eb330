import { type Fields, field, isObject, listOf, textOf } from '../base/text/json.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { unless } from '../kubernetes/failure.ts';
import { listItems } from '../kubernetes/list.ts';
import type { MigratedKind } from './kinds.ts';

/** Which object of its kind. */
export interface ObjectPlace {
  /** Undefined for what has no namespace. */
  readonly namespace: string | undefined;
  readonly name: string;
}

/** The objects of a cluster as they are migrated. Each method throws `ApiFailure`. */
export interface ClusterObjects {
  /** One page of a list; `next` names the page behind it. The items come one by one. */
  page(
    kind: MigratedKind,
    asked: ObjectPage,
    signal: AbortSignal,
  ): AsyncGenerator<Fields, string | undefined>;
  /** How many there are; undefined where the server does not say, as of lists by a selector. */
  count(kind: MigratedKind, namespace: string | undefined, signal: AbortSignal): Promise<number | undefined>;
  /** Undefined for one that is not there. */
  read(kind: MigratedKind, place: ObjectPlace, signal: AbortSignal): Promise<Fields | undefined>;
  /** The object after a JSON patch. */
  patch(kind: MigratedKind, place: ObjectPlace, part: 'status' | 'whole', patch: string): Promise<Fields>;
}

/** A list of one item: `remainingItemCount` is beside `continue` since Kubernetes 1.15. */
interface CountedList {
  readonly metadata?: { readonly continue?: string; readonly remainingItemCount?: unknown };
  readonly items?: unknown;
}

/** Which page of which list. */
export interface ObjectPage {
  /** Default: all. */
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
  /** Undefined: the first one. */
  readonly next: string | undefined;
}

const pageItems = 500;
const listTimeoutMs = 120_000;
const callTimeoutMs = 30_000;
/** An object of etcd has at most 1.5 MiB, more in JSON. */
const longestObject = 16 * 1024 * 1024;

export function createClusterObjects(client: KubernetesClient): ClusterObjects {
  return {
    async *page(kind, { namespace, selector, next }, signal) {
      const query = new URLSearchParams({
        limit: String(pageItems),
        ...(selector === undefined ? {} : { fieldSelector: selector }),
        ...(next === undefined ? {} : { continue: next }),
      });
      const path = `${listPath(kind, namespace)}?${query}`;
      const metadata = yield* listItems<Fields>(client, { path, timeoutMs: listTimeoutMs, signal });
      return textOf(metadata.continue);
    },
    async count(kind, namespace, signal) {
      if (kind.selectors !== undefined) return undefined;
      const path = `${listPath(kind, namespace)}?limit=1`;
      const limits = { timeoutMs: callTimeoutMs, maxBytes: longestObject, signal };
      const { metadata, items } = await client.json<CountedList>({ path, ...limits });
      const left = metadata?.remainingItemCount;
      if (left === undefined) return metadata?.continue ? undefined : listOf(items).length;
      return typeof left === 'number' ? left + 1 : undefined;
    },
    read(kind, place, signal) {
      const limits = { timeoutMs: callTimeoutMs, maxBytes: longestObject, signal };
      return unless(404, client.json<Fields>({ path: objectPath(kind, place), ...limits }));
    },
    patch(kind, place, part, patch) {
      return client.json<Fields>({
        method: 'PATCH',
        path: `${objectPath(kind, place)}${part === 'status' ? '/status' : ''}`,
        body: patch,
        contentType: 'application/json-patch+json',
        // A complaint about a secret may repeat what is in it.
        quotesReason: kind.hasLogins !== true,
        timeoutMs: callTimeoutMs,
        maxBytes: longestObject,
      });
    },
  };
}

/** Where the object is. */
export function placeOf(object: unknown, { isNamespaced }: MigratedKind): ObjectPlace {
  const metadata = field(object, 'metadata');
  const name = textOf(field(metadata, 'name')) ?? '';
  return { namespace: isNamespaced ? textOf(field(metadata, 'namespace')) : undefined, name };
}

/** `ci/pull`, or the name alone. */
export function placeKey({ namespace, name }: ObjectPlace): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Items of a list do not say what they are. */
export function told(object: Fields, { group, version, kind }: MigratedKind): Fields {
  const { managedFields: _managed, ...metadata } = isObject(object['metadata']) ? object['metadata'] : {};
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind, ...object, metadata };
}

function listPath({ group, version, resource }: MigratedKind, namespace: string | undefined): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${within}/${resource}`;
}

function objectPath(kind: MigratedKind, { namespace, name }: ObjectPlace): string {
  return `${listPath(kind, namespace)}/${encodeURIComponent(name)}`;
}
