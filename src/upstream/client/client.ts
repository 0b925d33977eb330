// Room `upstream/client`: reads one registry: manifests, blobs, lists. In: repository and
// reference. Out: answers, resumed and checked; RegistryError. Imports: base, oci, upstream,
// upstream/download, upstream/http, upstream/login, upstream/resilience.

import { ManifestMismatch } from '../../oci/content.ts';
import { settingsOf, type UpstreamOptions } from '../http/options.ts';
import type { Upstream } from '../upstream.ts';
import { type BlobSettings, openBlob, statBlob } from './blobs.ts';
import { createConnection } from './connection.ts';
import { forwardBlob } from './forward.ts';
import { askReferrers, askTags } from './listings.ts';
import { askManifest } from './manifests.ts';

/** A registry over HTTP. Nothing is asked, and no file read, before the first call. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const settings = settingsOf(options);
  const { name, events } = settings;
  const link = createConnection(settings);
  let hasRanges = true;
  const blobSettings: BlobSettings = {
    ...settings,
    received: (bytes) => events?.received({ upstream: name, bytes }),
    resumed: () => events?.retried({ upstream: name, reason: 'resume' }),
    ignoredRange: () => {
      hasRanges = false;
    },
  };
  return {
    name,
    get hasRanges() {
      return hasRanges;
    },
    isReachable: (asked) => link.isReachable(asked),
    breakerElsewhere: (isOpen) => link.breakerElsewhere(isOpen),
    pausedElsewhere: (pause) => link.pausedElsewhere(pause),
    async manifest(repository, reference, asked) {
      try {
        return await askManifest(link, repository, reference, asked);
      } catch (error) {
        if (error instanceof ManifestMismatch) events?.wrongContent?.({ upstream: name, kind: 'manifest' });
        throw error;
      }
    },
    statBlob: (repository, digest, asked) => statBlob(link, repository, digest, asked),
    openBlob: (repository, digest, asked = {}) =>
      openBlob(link, repository, digest, { ...asked, settings: blobSettings }),
    forwardBlob: (repository, digest, asked) => forwardBlob(link, repository, digest, asked),
    tags: (repository, query, asked) => askTags(link, repository, query, asked),
    referrers: (repository, digest, query, asked) => askReferrers(link, repository, digest, query, asked),
    close: () => link.close(),
  };
}
