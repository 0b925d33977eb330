import { createSingleFlight } from '../base/flow/single-flight.ts';
import { referenceText } from '../oci/reference.ts';
import type { ManifestAnswer, RegistryReader } from '../oci/registry-reader.ts';
import type { Upstream } from '../upstream/upstream.ts';

type SharedAnswer<Method extends 'statBlob' | 'tags' | 'referrers'> = Awaited<
  ReturnType<RegistryReader[Method]>
>;

/**
 * The upstream, where equal questions at the same time are one: clients of this member and other
 * members ask it beside each other. Bodies of blobs are shared by their downloads instead.
 */
export function askedOnce(upstream: Upstream): Upstream {
  const manifests = createSingleFlight<ManifestAnswer>();
  const stats = createSingleFlight<SharedAnswer<'statBlob'>>();
  const tags = createSingleFlight<SharedAnswer<'tags'>>();
  const referrers = createSingleFlight<SharedAnswer<'referrers'>>();
  return {
    name: upstream.name,
    get hasRanges() {
      return upstream.hasRanges;
    },
    manifest(repository, reference, { signal: _signal, ...asked } = {}) {
      const { method = 'GET', etag = '', isUrgent = false, isOwn = false } = asked;
      const key = [repository, referenceText(reference), method, etag, isUrgent, isOwn].join(' ');
      return manifests(key, () => upstream.manifest(repository, reference, asked));
    },
    statBlob: (repository, digest) =>
      stats(`${repository} ${digest}`, () => upstream.statBlob(repository, digest)),
    tags: (repository, query) => tags(`${repository} ${query}`, () => upstream.tags(repository, query)),
    referrers: (repository, digest, query) =>
      referrers(`${repository} ${digest} ${query}`, () => upstream.referrers(repository, digest, query)),
    openBlob: (repository, digest, asked) => upstream.openBlob(repository, digest, asked),
    isReachable: (asked) => upstream.isReachable(asked),
    forwardBlob: (repository, digest, asked) => upstream.forwardBlob(repository, digest, asked),
    close: () => upstream.close(),
  };
}
