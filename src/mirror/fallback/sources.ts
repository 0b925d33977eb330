import { createLru } from '../../base/state/lru.ts';
import { mayPass } from '../../base/time/retry.ts';
import type { RepositoryIndex } from '../../cache/records/repository-index.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { MissRule, MissSource } from './rule.ts';

/** A registry that images come from: what is delivered of it is read through its cache. */
type MissOrigin = Pick<CachedRegistry, 'manifests' | 'reader' | 'upstream'>;

/** Where an image comes from, with its registry. */
export interface OpenSource extends MissSource {
  readonly origin: MissOrigin;
}

export interface MissSourcesOptions {
  /** The source of a missing tag. Called each time, to follow a reloaded configuration. */
  readonly rule: MissRule;
  /** The registry of that host; undefined for an unconfigured one, whose tags stay absent. */
  readonly origin: (registry: string) => MissOrigin | undefined;
  /** Which tags lead to a digest: so its source is known after a restart, and in every replica. */
  readonly membership: Pick<RepositoryIndex, 'tagsOf'>;
  /** The name of the upstream that lacks them. */
  readonly upstream: string;
  /** Manifests that are remembered with their source. */
  readonly maxEntries: number;
  /** For how long, milliseconds. */
  readonly requeueMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Where the content of one upstream comes from. */
interface MissSources {
  ofTag(repository: Repository, tag: Tag): OpenSource | undefined;
  /** A source answered the manifest: its digest may be pulled before its tag is known. */
  lent(repository: Repository, digest: Digest, source: OpenSource): void;
  /** The upstream has the manifest itself. */
  returned(digest: Digest): void;
  /** The source of a manifest that it answered recently. */
  lenderOf(digest: Digest): OpenSource | undefined;
  /**
   * The first answer of a source for the digest; the sources are the one that answered before, and
   * those of the tags that reference it. Undefined if none has it. Throws `UNAVAILABLE` if one
   * failed, and faults of the request itself.
   */
  answer<Value>(
    repository: Repository,
    digest: Digest,
    ask: (source: OpenSource) => Promise<Value | undefined>,
  ): Promise<Value | undefined>;
}

/** Repositories that are asked for one digest: a base layer may have come from any of thousands. */
const mostAsked = 4;

/** No manifest is remembered yet. */
export function createMissSources(options: MissSourcesOptions): MissSources {
  const { rule, origin, membership, upstream, maxEntries, requeueMs: keepMs, now } = options;
  const lenders = createLru<Digest, { readonly to: Repository; readonly source: OpenSource }>(maxEntries, {
    keepMs,
    now,
  });

  function ofTag(repository: Repository, tag: Tag): OpenSource | undefined {
    const source = rule({ upstream, repository }, tag);
    const registry = source && origin(source.registry);
    return source && registry && { ...source, origin: registry };
  }

  /** The likeliest first: the latest tag leads to what was asked for just now. */
  async function* towards(
    repository: Repository,
    digest: Digest,
  ): AsyncGenerator<OpenSource, void, undefined> {
    const lender = lenders.get(digest);
    if (lender?.to === repository) yield lender.source;
    const tags = await membership.tagsOf({ upstream, repository }, digest);
    for (const tag of tags.toReversed()) {
      const source = ofTag(repository, tag);
      if (source !== undefined) yield source;
    }
  }

  /** One source for each repository. */
  async function* eachPlace(sources: AsyncIterable<OpenSource>): AsyncGenerator<OpenSource, void, undefined> {
    const places = new Set<string>();
    for await (const source of sources) {
      const place = `${source.registry}/${source.repository}`;
      if (places.has(place)) continue;
      yield source;
      if (places.add(place).size >= mostAsked) return;
    }
  }

  return {
    ofTag,
    lent: (repository, digest, source) => void lenders.set(digest, { to: repository, source }),
    returned: (digest) => void lenders.delete(digest),
    lenderOf: (digest) => lenders.get(digest)?.source,
    async answer(repository, digest, ask) {
      const failures: unknown[] = [];
      for await (const source of eachPlace(towards(repository, digest))) {
        try {
          const answer = await ask(source);
          if (answer !== undefined) return answer;
        } catch (error) {
          if (mayPass(error)) failures.push(error);
          else if (refusalOf(error) === undefined) throw error;
        }
      }
      if (failures.length > 0) throw sourceUnavailable(failures[0]);
      return undefined;
    },
  };
}

/** The kind of refusal; undefined for none. A source's refusal of our login is not the client's. */
export function refusalOf(error: unknown): 'absent' | 'denied' | undefined {
  if (!(error instanceof RegistryError)) return undefined;
  if (error.code === 'DENIED') return 'denied';
  return error.code === 'MANIFEST_UNKNOWN' || error.code === 'NAME_UNKNOWN' ? 'absent' : undefined;
}

/** Neither yes nor no: another mirror may know, and this one after a retry. */
export function sourceUnavailable(cause: unknown): RegistryError {
  const { retryAfterSeconds = 5 } = cause instanceof RegistryError ? cause : {};
  return new RegistryError(
    'UNAVAILABLE',
    'not found in the registry, and the source of the miss rule cannot be reached now',
    {
      retryAfterSeconds,
      cause,
    },
  );
}
