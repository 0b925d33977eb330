import type { V1Lease } from '@kubernetes/client-node';
import { called, found, type Library, type Login, unless } from '../kubernetes/api-call.ts';
import type { LeaseClaim, LeaseMedium, LeaseRecord } from './medium.ts';

export interface LeaseObjectOptions {
  readonly login: Login;
  readonly namespace: string;
  /** The object's name. */
  readonly name: string;
  /** How long one call may take, milliseconds. Default 5,000. */
  readonly timeoutMs?: number;
}

/** A Lease of `coordination.k8s.io/v1`, with what must outlive its holder. */
export interface LeaseObject extends LeaseRecord {
  readonly object: V1Lease;
}

/**
 * A lease as other components of a cluster hold and show theirs. Needs the right to get, create and update leases in the
 * namespace. The API server settles races: a write names the `resourceVersion` that it replaces.
 */
export function leaseObject(options: LeaseObjectOptions): LeaseMedium<LeaseObject> {
  const { login, namespace, name, timeoutMs = 5000 } = options;
  const bounds = { timeoutMs };
  return {
    async read() {
      const object = await found(
        called(
          login,
          ({ library, config, options }) =>
            config.makeApiClient(library.CoordinationV1Api).readNamespacedLease({ name, namespace }, options),
          bounds,
        ),
      );
      return object && recordOf(object);
    },
    async write(claim, seen) {
      const object = await unless(
        409,
        called(
          login,
          ({ library, config, options }) => {
            const api = config.makeApiClient(library.CoordinationV1Api);
            const body = claimed(library, claim, seen?.object ?? { metadata: { name, namespace } });
            if (seen === undefined) return api.createNamespacedLease({ namespace, body }, options);
            return api.replaceNamespacedLease({ name, namespace, body }, options);
          },
          bounds,
        ),
      );
      return object && recordOf(object);
    },
  };
}

function recordOf(object: V1Lease): LeaseObject {
  const { holderIdentity = '', leaseDurationSeconds } = object.spec ?? {};
  return {
    object,
    holder: holderIdentity,
    version: object.metadata?.resourceVersion ?? '',
    ...(leaseDurationSeconds === undefined ? {} : { ttlMs: leaseDurationSeconds * 1000 }),
  };
}

/** Times are for those who look: nobody decides by them. One that is given back is free after a second for whoever does not know the empty name. */
function claimed({ V1MicroTime }: Library, { holder, ttlMs }: LeaseClaim, before: V1Lease): V1Lease {
  const now = new V1MicroTime();
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
