/** A Lease as it travels. */
export interface LeaseBody {
  readonly metadata?: { readonly resourceVersion?: string; readonly name?: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

interface LeaseAnswer {
  readonly status: number;
  readonly object: object;
}

/**
 * The Leases of an API server, with its conflicts: created once, replaced only at the newest
 * version.
 */
interface LeaseShelf {
  readonly leases: ReadonlyMap<string, LeaseBody>;
  answer(
    method: string,
    where: { readonly namespace?: string | undefined; readonly name?: string | undefined },
    body: string,
  ): LeaseAnswer;
}

export function leaseShelf(nextVersion: () => string): LeaseShelf {
  const leases = new Map<string, LeaseBody>();

  function stored(key: string, body: LeaseBody, status: number): LeaseAnswer {
    const object = { ...body, metadata: { ...body.metadata, resourceVersion: nextVersion() } };
    leases.set(key, object);
    return { status, object };
  }

  return {
    leases,
    answer(method, { namespace, name }, text) {
      const body: LeaseBody = text === '' ? {} : JSON.parse(text);
      const key = `${namespace}/${name ?? body.metadata?.name}`;
      const found = leases.get(key);
      if (method === 'POST') return found === undefined ? stored(key, body, 201) : refused(409);
      if (found === undefined) return refused(404);
      if (method !== 'PUT') return { status: 200, object: found };
      const isNewest = body.metadata?.resourceVersion === found.metadata?.resourceVersion;
      return isNewest ? stored(key, body, 200) : refused(409);
    },
  };
}

function refused(code: number): LeaseAnswer {
  return { status: code, object: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code } };
}
