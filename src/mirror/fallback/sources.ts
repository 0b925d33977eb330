import { createLru } from '../../base/state/lru.ts';
import { mayPass } from '../../base/time/retry.ts';
import type { RepositoryIndex } from '../../cache/records/repository-index.ts';
import type { CachedRegistry } from '../../cache/registry/registry.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import type { Reference, Repository, Tag } from '../../oci/reference.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { pastCache } from './past-cache.ts';
import type { MissQuestions } from './questions.ts';
import type { MissSource } from './rule.ts';
import type { MissPlaces } from './source-rules.ts';

/** A registry that images come from: what is delivered of it is read through its cache. */
export interface MissOrigin extends Pick<CachedRegistry, 'reader' | 'upstream'> {
  readonly manifests: Pick<CachedRegistry['manifests'], 'resolve'>;
}

/** Where an image comes from, with its registry. */
export interface OpenSource extends MissSource {
  readonly origin: MissOrigin;
  /** Whether what is found is copied to the tag that was asked for. */
  readonly isCopied: boolean;
}

export interface MissSourcesOptions {
  /** Where to look. Called each time, to follow a reloaded configuration. */
  readonly places: MissPlaces;
  /** The registry of that host; undefined for an unconfigured one, whose tags stay absent. */
  readonly origin: (registry: string) => MissOrigin | undefined;
  /** Which tags lead to a digest: so its source is known after a restart, and in every replica. */
  readonly membership: Pick<RepositoryIndex, 'tagsOf' | 'find'>;
  /** The upstream that lacks them. */
  readonly upstream: Upstream;
  readonly questions: MissQuestions;
  /** Manifests that are remembered with their source. */
  readonly maxEntries: number;
  /** For how long, milliseconds. */
  readonly requeueMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Where the content of one upstream comes from. */
export interface MissSources {
  /** In the order of the rules. */
  ofTag(repository: Repository, tag: Tag): readonly (OpenSource | 'history')[];
  /** Whether a rule is for the digest itself, whatever tags lead to it. */
  isRuled(repository: Repository, digest: Digest): boolean;
  /**
   * A source answered the manifest, for the tag where one was asked for: what is below it is looked
   * for there first, and its digest may be pulled before its tag is known.
   */
  lent(place: LentManifest, source: OpenSource): void;
  /** The upstream has the manifest itself. */
  returned(digest: Digest): void;
  /** The source of a manifest that it answered recently. */
  lenderOf(digest: Digest): OpenSource | undefined;
  /**
   * The first answer of a source for the digest; the sources are the one that answered before,
   * those of the tags that reference it, and those of the digest itself, within the limits of
   * questions; `limited` is told of a source that is not asked for that, and of those before.
   * Undefined if none has it. One that cannot tell is passed over, as a digest means the same
   * everywhere; if then none has it, throws `UNAVAILABLE`. Throws faults of the request.
   */
  answer<Value>(
    repository: Repository,
    digest: Digest,
    ask: (source: OpenSource) => Promise<Value | undefined>,
    limited?: (reason: string) => void,
  ): Promise<Value | undefined>;
  /** Where the digest was not found recently, in one line; undefined without a rule for it. */
  absence(repository: Repository, digest: Digest): string | undefined;
}

/** A manifest that a source answered for the repository. */
interface LentManifest {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly tag: Tag | undefined;
}

/**
 * After so many repositories no other tag's are asked for one digest: a base layer may have come
 * from any of thousands. All those of one tag are: the image may be at the last.
 */
const mostAsked = 4;

/** No manifest is remembered yet. */
export function createMissSources(options: MissSourcesOptions): MissSources {
  const { places, membership, upstream, questions, maxEntries, requeueMs: keepMs, now } = options;
  const itself = pastCache(upstream);
  const lenders = createLru<Digest, { readonly to: Repository; readonly source: OpenSource }>(maxEntries, {
    keepMs,
    now,
  });
  /** Where the tag was found: most of what is below it is there. */
  const ofTags = createLru<string, OpenSource>(maxEntries, { keepMs, now });

  const scopeOf = (repository: Repository) => ({ upstream: upstream.name, repository });

  const originOf = (registry: string): MissOrigin | undefined =>
    registry === upstream.name ? itself : options.origin(registry);

  function of(repository: Repository, reference: Reference): readonly (OpenSource | 'history')[] {
    return places(scopeOf(repository), reference).flatMap((place): readonly (OpenSource | 'history')[] => {
      if (place.kind === 'history') return ['history'];
      const origin = originOf(place.source.registry);
      return origin === undefined ? [] : [{ ...place.source, isCopied: place.isCopied, origin }];
    });
  }

  const opened = (repository: Repository, reference: Reference): readonly OpenSource[] =>
    of(repository, reference).filter((source) => source !== 'history');

  /** Sources by tag, the likeliest first: the latest tag leads to what was asked for just now. */
  async function* towards(
    repository: Repository,
    digest: Digest,
  ): AsyncGenerator<readonly OpenSource[], void, undefined> {
    const lender = lenders.get(digest);
    if (lender?.to === repository) yield [lender.source];
    const tags = await membership.tagsOf(scopeOf(repository), digest);
    for (const tag of tags.toReversed()) {
      const found = ofTags.get(tagKeyOf(repository, tag));
      yield [...(found === undefined ? [] : [found]), ...opened(repository, { tag })];
    }
  }

  /** One source for each repository; this one was asked already. */
  async function* eachPlace(
    repository: Repository,
    digest: Digest,
    failures: readonly unknown[],
    limited: ((reason: string) => void) | undefined,
  ): AsyncGenerator<OpenSource, void, undefined> {
    const asked = new Set([`${upstream.name}/${repository}`]);
    for await (const sources of towards(repository, digest)) {
      if (asked.size > mostAsked) break;
      for (const source of sources) if (isNew(asked, source)) yield source;
    }
    const key = keyOf(repository, digest);
    const ruled = opened(repository, { digest });
    if (ruled.length === 0 || questions.absence(key) !== undefined) return;
    // What a manifest lists that was answered here is no guess.
    const isSeen = (await membership.find(scopeOf(repository), digest)) !== undefined;
    const reasons = new Set([`not in ${upstream.name}/${repository}`]);
    for (const source of ruled) {
      if (isNew(asked, source)) {
        if (!questions.mayAsk(key) && !isSeen) {
          limited?.([...reasons, `${source.registry} is not asked: too many unknown digests`].join('; '));
          return;
        }
        yield source;
      }
      reasons.add(`not at ${source.registry}`);
    }
    if (failures.length === 0) questions.answeredNo(key, [...reasons].join('; '));
  }

  const keyOf = (repository: Repository, digest: Digest): string =>
    `${upstream.name}/${repository}@${digest}`;

  const tagKeyOf = (repository: Repository, tag: Tag): string => `${repository}:${tag}`;

  return {
    ofTag: (repository, tag) => of(repository, { tag }),
    isRuled: (repository, digest) => opened(repository, { digest }).length > 0,
    lent({ repository, digest, tag }, source) {
      lenders.set(digest, { to: repository, source });
      if (tag !== undefined) ofTags.set(tagKeyOf(repository, tag), source);
    },
    returned: (digest) => void lenders.delete(digest),
    lenderOf: (digest) => lenders.get(digest)?.source,
    absence: (repository, digest) => questions.absence(keyOf(repository, digest)),
    async answer(repository, digest, ask, limited) {
      const failures: { readonly error: unknown; readonly registry: string }[] = [];
      for await (const source of eachPlace(repository, digest, failures, limited)) {
        try {
          const answer = await ask(source);
          if (answer !== undefined) return answer;
        } catch (error) {
          if (mayPass(error) || isDenied(error)) failures.push({ error, registry: source.registry });
          else if (!isAbsent(error)) throw error;
        }
      }
      const [failure] = failures;
      if (failure === undefined) return undefined;
      throw sourceUnavailable(failure.error, [`not in ${upstream.name}/${repository}`, failure.registry]);
    },
  };
}

function isNew(asked: Set<string>, { registry, repository }: OpenSource): boolean {
  const before = asked.size;
  return asked.add(`${registry}/${repository}`).size > before;
}

/** The source has no such image. */
export function isAbsent(error: unknown): boolean {
  return (
    error instanceof RegistryError && (error.code === 'MANIFEST_UNKNOWN' || error.code === 'NAME_UNKNOWN')
  );
}

/** The source refuses our login, not the client's: it may have what it keeps from us. */
export function isDenied(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'DENIED';
}

/**
 * Neither yes nor no: another mirror may know, and this one after a retry. `reasons` ends with the
 * name of the source that cannot tell.
 */
export function sourceUnavailable(cause: unknown, reasons: readonly string[]): RegistryError {
  const { retryAfterSeconds = 5 } = cause instanceof RegistryError ? cause : {};
  const what = isDenied(cause) ? 'refuses the login of this service' : 'cannot be asked now';
  const message = `${reasons.join('; ')} ${what}`;
  return new RegistryError('UNAVAILABLE', message, { retryAfterSeconds, cause });
}
