import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import type { Exchange } from '../http/exchange.ts';
import { answerBlob } from './blobs.ts';
import { createBypass } from './bypass.ts';
import type { RedirectTo } from './redirects.ts';

/** How a host serves blobs: itself; from the object store, where it has them; or past the cache. */
type BlobMode = 'serve' | 'redirect' | 'bypass';

/** The modes of hosts by their configured names. Default: the store's own setting. */
export type BlobModes = ReadonlyMap<string, BlobMode>;

interface BlobAnswersOptions {
  /** Asked for each blob: a mode can change while we run. */
  readonly modes: () => BlobModes;
  /** To the store, as its own setting says. */
  readonly redirect: RedirectTo;
  /** To the store, for every client. */
  readonly redirectAlways: RedirectTo;
}

/** Answers a request for a blob, in the way of the host that admitted it. */
export type BlobAnswers = (
  exchange: Exchange,
  host: string,
  request: Extract<RegistryRequest, { kind: 'blob' }>,
  registry: CachedRegistry,
) => Promise<void>;

export function createBlobAnswers({ modes, redirect, redirectAlways }: BlobAnswersOptions): BlobAnswers {
  const pastTheCache = createBypass();

  return (exchange, host, request, { blobs, upstream }) => {
    const mode = modes().get(host);
    switch (mode) {
      case 'bypass':
        return pastTheCache(exchange, request, upstream);
      case 'serve':
        return answerBlob(exchange, request, { blobs });
      default:
        return answerBlob(exchange, request, { blobs, redirect: mode ? redirectAlways : redirect });
    }
  };
}
