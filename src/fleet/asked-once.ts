import { createSingleFlight } from '../base/flow/single-flight.ts';
import type { Digest } from '../oci/digest.ts';
import { type Repository, referenceText } from '../oci/reference.ts';
import type { BlobOptions, ManifestAnswer, OpenBlob, RegistryReader } from '../oci/registry-reader.ts';
import type { Upstream } from '../upstream/upstream.ts';

type SharedAnswer<Method extends 'statBlob' | 'tags' | 'referrers'> = Awaited<
  ReturnType<RegistryReader[Method]>
>;

/** An upstream that tells what it is being asked for. */
export interface AskedUpstream extends Upstream {
  /**
   * Whether an answer about that is awaited from the registry: `<name>/<repository>@<digest>`,
   * `<name>/<repository>:<tag>`, or `<name>/<repository>` for its lists.
   */
  isAsking(subject: string): boolean;
}

/** What is under way, with how many questions about each. */
class Subjects {
  readonly #counts = new Map<string, number>();

  has(subject: string): boolean {
    return this.#counts.has(subject);
  }

  add(subject: string): void {
    this.#counts.set(subject, (this.#counts.get(subject) ?? 0) + 1);
  }

  delete(subject: string): void {
    const left = (this.#counts.get(subject) ?? 0) - 1;
    if (left > 0) this.#counts.set(subject, left);
    else this.#counts.delete(subject);
  }

  async during<Value>(subject: string, work: () => Promise<Value>): Promise<Value> {
    this.add(subject);
    try {
      return await work();
    } finally {
      this.delete(subject);
    }
  }
}

/**
 * The upstream, where equal questions at the same time are one: clients of this member and other
 * members ask it beside each other. Bodies of blobs are shared by their downloads instead.
 */
export function askedOnce(upstream: Upstream): AskedUpstream {
  const manifests = createSingleFlight<ManifestAnswer>();
  const stats = createSingleFlight<SharedAnswer<'statBlob'>>();
  const tags = createSingleFlight<SharedAnswer<'tags'>>();
  const referrers = createSingleFlight<SharedAnswer<'referrers'>>();
  const subjects = new Subjects();
  const place = (repository: Repository): string => `${upstream.name}/${repository}`;

  /** Until it is closed, as every reader does. */
  async function opened(
    repository: Repository,
    digest: Digest,
    asked?: BlobOptions,
  ): Promise<OpenBlob | undefined> {
    const subject = `${place(repository)}@${digest}`;
    const blob = await subjects.during(subject, () => upstream.openBlob(repository, digest, asked));
    if (blob === undefined) return undefined;
    subjects.add(subject);
    let isOpen = true;
    const close = (): void => {
      if (isOpen) subjects.delete(subject);
      isOpen = false;
      blob.close();
    };
    return { ...blob, close };
  }

  return {
    name: upstream.name,
    get hasRanges() {
      return upstream.hasRanges;
    },
    // A tag leads to manifests by digest, which count for every tag of the repository.
    isAsking: (subject) => subjects.has(subject) || subjects.has(subject.slice(0, subject.lastIndexOf(':'))),
    manifest(repository, reference, { signal: _signal, ...asked } = {}) {
      const { method = 'GET', etag = '', isUrgent = false, isOwn = false } = asked;
      const key = [repository, referenceText(reference), method, etag, isUrgent, isOwn].join(' ');
      const { digest, tag } = reference;
      const ask = () => upstream.manifest(repository, reference, asked);
      const here = place(repository);
      if (digest === undefined) return manifests(key, () => subjects.during(`${here}:${tag}`, ask));
      return manifests(key, () => subjects.during(here, () => subjects.during(`${here}@${digest}`, ask)));
    },
    statBlob: (repository, digest) =>
      stats(`${repository} ${digest}`, () =>
        subjects.during(`${place(repository)}@${digest}`, () => upstream.statBlob(repository, digest)),
      ),
    tags: (repository, query) =>
      tags(`${repository} ${query}`, () =>
        subjects.during(place(repository), () => upstream.tags(repository, query)),
      ),
    referrers: (repository, digest, query) =>
      referrers(`${repository} ${digest} ${query}`, () =>
        subjects.during(place(repository), () => upstream.referrers(repository, digest, query)),
      ),
    openBlob: opened,
    isReachable: (asked) => upstream.isReachable(asked),
    forwardBlob: (repository, digest, asked) => upstream.forwardBlob(repository, digest, asked),
    close: () => upstream.close(),
  };
}
