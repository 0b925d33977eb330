import { field, isText } from '../base/text/json.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { ApiFailure, unless } from '../kubernetes/failure.ts';
import type { LeaseClaim, LeaseMedium, LeaseRecord } from './medium.ts';

interface LeaseObjectOptions {
  readonly client: KubernetesClient;
  readonly namespace: string;
  /** The object's name. */
  readonly name: string;
  /** How long one call may take, milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
}

/** A Lease of `coordination.k8s.io/v1` as it travels; all that we do not know of it is kept. */
interface LeaseBody {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
  };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** A Lease with what must outlive its holder. */
interface LeaseObject extends LeaseRecord {
  readonly object: LeaseBody;
}

/**
 * A lease as of other components of a cluster. Needs the right to get, create and update leases in
 * the namespace. The API server settles races by `resourceVersion`.
 */
export function createLeaseObject(options: LeaseObjectOptions): LeaseMedium<LeaseObject> {
  const { client, namespace, name, timeoutMs = 5000 } = options;
  const all = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  const one = `${all}/${encodeURIComponent(name)}`;
  return {
    async read() {
      const object = await unless(404, client.json<LeaseBody>({ path: one, timeoutMs }));
      return object === undefined ? undefined : recordOf(object);
    },
    async write(claim, seen) {
      const body = JSON.stringify(claimed(claim, seen?.object ?? { metadata: { name, namespace } }));
      const to =
        seen === undefined
          ? ({ method: 'POST', path: all } as const)
          : ({ method: 'PUT', path: one } as const);
      const object = await unless(409, client.json<LeaseBody>({ ...to, body, timeoutMs }));
      return object === undefined ? undefined : recordOf(object);
    },
  };
}

/** Throws `ApiFailure` for what is no Lease: it would be one that we hold, or a free one. */
function recordOf(object: LeaseBody): LeaseObject {
  const version = field(field(object, 'metadata'), 'resourceVersion');
  if (!isText(version)) throw new ApiFailure('invalid', 'answered with something other than a Lease');
  const { holderIdentity = '', leaseDurationSeconds } = object.spec ?? {};
  return {
    object,
    holder: holderIdentity,
    version,
    ...(leaseDurationSeconds === undefined ? {} : { ttlMs: leaseDurationSeconds * 1000 }),
  };
}

/** Times are for readers only. A released lease is free after 1 s, for other programs. */
function claimed({ holder, ttlMs }: LeaseClaim, before: LeaseBody): object {
  // A MicroTime has six digits.
  const now = new Date().toISOString().replace('Z', '000Z');
  const { holderIdentity, acquireTime = now, leaseTransitions = 0 } = before.spec ?? {};
  const isTaken = holder !== '' && holder !== holderIdentity;
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    ...(before.metadata === undefined ? {} : { metadata: before.metadata }),
    spec: {
      ...before.spec,
      holderIdentity: holder,
      leaseDurationSeconds: holder === '' ? 1 : Math.max(1, Math.ceil(ttlMs / 1000)),
      acquireTime: isTaken ? now : acquireTime,
      renewTime: now,
      leaseTransitions: isTaken && before.spec !== undefined ? leaseTransitions + 1 : leaseTransitions,
    },
  };
}
