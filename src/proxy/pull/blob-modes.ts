import { createNetworkMatcher } from '../../base/text/networks.ts';
import type { OpenedBlob } from '../../cache/blobs/pulled-blobs.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import type { CachedBlobs } from '../../store/store.ts';
import type { Exchange } from '../http/exchange.ts';
import { answerBlob } from './blobs.ts';
import { createBypass } from './bypass.ts';

/** How a host serves blobs: itself; from the object store, where it has them; or past the cache. */
export type BlobMode = 'serve' | 'redirect' | 'bypass';

interface BlobAnswersOptions {
  /** To the store, as its own setting says. Default: to none. */
  readonly redirect: RedirectTo | undefined;
  /** To the store, for every client. Default: to none. */
  readonly redirectAlways: RedirectTo | undefined;
}

/**
 * Answers a request for a blob, in the way of the host that admitted it. Default: by the store's
 * own setting.
 */
export type BlobAnswers = (
  exchange: Exchange,
  mode: BlobMode | undefined,
  request: Extract<RegistryRequest, { kind: 'blob' }>,
  registry: CachedRegistry,
) => Promise<void>;

export function createBlobAnswers({ redirect, redirectAlways }: BlobAnswersOptions): BlobAnswers {
  const pastTheCache = createBypass();

  return (exchange, mode, request, { blobs, upstream }) => {
    switch (mode) {
      case 'bypass':
        return pastTheCache(exchange, request, upstream);
      case 'serve':
        return answerBlob(exchange, request, { blobs });
      default:
        return answerBlob(exchange, request, {
          blobs,
          redirect: mode === 'redirect' ? redirectAlways : redirect,
        });
    }
  };
}

/** When a blob is answered with a 307 to the store: never, always, or by network (CIDR). */
export type RedirectPolicy = 'always' | 'never' | { readonly networks: readonly string[] };

/** The URL to send a client to, or undefined to serve it ourselves. */
export type RedirectTo = (blob: OpenedBlob, clientAddress: string) => Promise<string | undefined>;

/**
 * Redirects by policy, and only stored blobs: memory is faster, and a running fill is not at the
 * store yet. If a URL cannot be signed, an event says so, and we serve the blob. Undefined where
 * the store has no URLs, or no client may have one.
 */
export function createRedirect(
  policy: RedirectPolicy,
  store: CachedBlobs,
  failed: (error: unknown) => void,
): RedirectTo | undefined {
  const { redirectUrl } = store;
  if (redirectUrl === undefined || policy === 'never') return undefined;
  const mayRedirect = redirectsTo(policy);
  return async ({ hit, descriptor }, clientAddress) => {
    if (hit !== 'store' || !mayRedirect(clientAddress)) return undefined;
    try {
      return await redirectUrl(descriptor.digest);
    } catch (error) {
      failed(error);
      return undefined;
    }
  };
}

function redirectsTo(policy: Exclude<RedirectPolicy, 'never'>): (clientAddress: string) => boolean {
  return policy === 'always' ? () => true : createNetworkMatcher(policy.networks);
}
