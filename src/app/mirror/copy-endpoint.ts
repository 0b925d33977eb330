import type { ImageDestination } from '../../mirror/endpoints/endpoints.ts';
import { confirmedByGet } from '../../mirror/endpoints/reading.ts';
import { taggedReferrers } from '../../mirror/endpoints/tagged-referrers.ts';
import type { RegistryReader } from '../../oci/registry-reader.ts';
import { createUpstream } from '../../upstream/client/client.ts';
import type { UpstreamOptions } from '../../upstream/http/options.ts';
import { createRegistryWriter, type RegistryWriter } from '../../upstream/push/writer.ts';
import { createAdaptiveLimit } from '../../upstream/resilience/adaptive.ts';
import type { Upstream } from '../../upstream/upstream.ts';

/** One registry at either end of copies; reading and writing share one limit. */
export interface CopyEndpoint {
  readonly source: RegistryReader;
  readonly destination: ImageDestination;
  readonly deleteTag: RegistryWriter['deleteTag'];
  readonly upstream: Upstream;
  readonly settings: UpstreamOptions;
  close(): Promise<void>;
}

export interface CopyEndpointOptions extends Omit<UpstreamOptions, 'url' | 'limit' | 'longestWaitSeconds'> {
  /** Default: `https://` and the name. */
  readonly url?: string;
  /** The logins. Default: `credentials`. */
  readonly authFile: string | undefined;
  /** What the shared limit begins with; see adaptiveLimit. */
  readonly atMost: { readonly maxConcurrent: number; readonly requestsPerSecond?: number | undefined };
}

/** A registry that asks for a pause is waited for up to this long; a longer one fails the image. */
export const longestWaitSeconds = 60;
/** One image's tries are fewer, so that its failure names the cause, and not our breaker. */
export const copyBreaker = { failures: 30 };

/** Asks nothing before the first copy. */
export function createCopyEndpoint({ authFile, atMost, ...known }: CopyEndpointOptions): CopyEndpoint {
  const { maxConcurrent, requestsPerSecond } = atMost;
  const settings: UpstreamOptions = {
    url: `https://${known.name === 'docker.io' ? 'registry-1.docker.io' : known.name}`,
    ...known,
    ...(authFile === undefined ? {} : { credentials: { authFile } }),
    longestWaitSeconds,
    limit: createAdaptiveLimit({
      maxConcurrent,
      longestWaitSeconds,
      ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    }),
  };
  const upstream = createUpstream(settings);
  // How patient an upstream is counts for reading: clients wait for that.
  const { retries: _whileClientsWait, ...unhurried } = settings;
  const writer = createRegistryWriter({ ...unhurried, breaker: { ...settings.breaker, ...copyBreaker } });
  return {
    source: confirmedByGet(upstream),
    destination: { ...writer, taggedReferrers: taggedReferrers(upstream) },
    deleteTag: writer.deleteTag,
    upstream,
    settings,
    async close() {
      await Promise.all([upstream.close(), writer.close()]);
    },
  };
}
