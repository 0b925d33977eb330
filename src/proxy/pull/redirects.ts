import { createNetworkMatcher } from '../../base/text/networks.ts';
import type { OpenedBlob } from '../../cache/blobs/pulled-blobs.ts';
import type { CachedBlobs } from '../../store/store.ts';

/** When a blob is answered with a 307 to the store: never, always, or by network (CIDR). */
export type RedirectPolicy = 'always' | 'never' | { readonly networks: readonly string[] };

/** The URL to send a client to, or undefined to serve it ourselves. */
export type RedirectTo = (blob: OpenedBlob, clientAddress: string) => Promise<string | undefined>;

/**
 * Redirects by policy, and only stored blobs: memory is faster, and a running fill is not at the
 * store yet. If a URL cannot be signed, an event says so, and we serve the blob.
 */
export function createRedirect(
  policy: RedirectPolicy,
  store: CachedBlobs,
  failed: (error: unknown) => void,
): RedirectTo {
  const mayRedirect = redirectsTo(policy);
  return async ({ hit, descriptor }, clientAddress) => {
    if (hit !== 'store' || store.redirectUrl === undefined || !mayRedirect(clientAddress)) return undefined;
    try {
      return await store.redirectUrl(descriptor.digest);
    } catch (error) {
      failed(error);
      return undefined;
    }
  };
}

function redirectsTo(policy: RedirectPolicy): (clientAddress: string) => boolean {
  return typeof policy === 'string' ? () => policy === 'always' : createNetworkMatcher(policy.networks);
}
