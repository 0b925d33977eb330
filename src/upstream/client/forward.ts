import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository } from '../../oci/reference.ts';
import { discard, type UpstreamResponse } from '../exchange.ts';
import { isRedirect } from '../http/redirect.ts';
import { refusedBy } from '../resilience/retry.ts';
import type { ForwardedBlob, ForwardOptions } from '../upstream.ts';
import { isContent } from './blobs.ts';
import type { Connection } from './connection.ts';

/** Statuses that a client can use unchanged: the blob, a part of it, or not modified. */
const usable: ReadonlySet<number> = new Set([200, 206, 304]);

/** One request for a blob, whose answer may be a redirect; see Upstream.forwardBlob. */
export function forwardBlob(
  connection: Connection,
  repository: Repository,
  digest: Digest,
  { method, conditions = {}, signal }: ForwardOptions,
): Promise<ForwardedBlob | undefined> {
  const ask = {
    kind: 'blob',
    method,
    url: connection.urlOf(`/v2/${repository}/blobs/${digest}`),
    headers: conditions,
    ...(signal === undefined ? {} : { signal }),
  } as const;
  return connection.forwarded(ask, async (answer) => {
    if (isRedirect(answer)) return { ...answer, location: connection.targetOf(answer) };
    if (usable.has(answer.status)) return whole(answer, digest);
    if (answer.status !== 404) throw await refusalOf(answer);
    discard(answer);
    return undefined;
  });
}

function whole(answer: UpstreamResponse, digest: Digest): ForwardedBlob {
  if (answer.status === 304 || isContent(answer, digest)) return answer;
  const message = 'the upstream answered with encoded content, or with something other than the blob';
  throw new RegistryError('UPSTREAM_INVALID', message);
}

async function refusalOf(answer: UpstreamResponse): Promise<RegistryError> {
  if (answer.status !== 416) return refusedBy(answer);
  discard(answer);
  return new RegistryError('RANGE_INVALID', 'the blob has no such range');
}
