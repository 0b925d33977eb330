// Room `mirror/fallback`: an upstream that answers from its sources what it lacks. In: an upstream,
// rules, a queue. Out: an upstream; tasks to copy. Imports: base, image-streams, mirror/ci,
// mirror/references, oci; types of cache/manifests, cache/records, cache/registry, mirror/queue,
// store, upstream.

import { defined } from '../../base/text/defined.ts';
import type { ServedManifest } from '../../cache/manifests/tag-resolver.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository, Tag } from '../../oci/reference.ts';
import type { BlobOptions, ManifestAnswer, ManifestOptions } from '../../oci/registry-reader.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { TaskSink } from '../queue/queue.ts';
import { taggedImage } from '../references/image-reference.ts';
import { createMissCopies } from './copies.ts';
import { createHistory, type HistoryOptions } from './history.ts';
import { createMissQuestions } from './questions.ts';
import { createMissSearch } from './search.ts';
import { createMissSources, isDenied, type MissSourcesOptions, type OpenSource } from './sources.ts';
import { answerInTime } from './wait.ts';

/**
 * The answer to a pull of a tag that its source has and the upstream lacks. Except for `off` the
 * copy is queued, where the source's rule copies; without a copy `wait` is `serve`.
 * - `serve`: answered from the source at once.
 * - `wait`: answered from the upstream once the copy is there, or from the source after `waitMs`.
 * - `queue`: 404.
 * - `off`: 404, without a request to a source.
 */
type OnMiss = 'serve' | 'wait' | 'queue' | 'off';

/**
 * How a miss ended. `arrived`: the copy came while the client waited. `denied`: the source refuses
 * our login. `limited`: too many unknown tags were requested.
 */
export type MissOutcome = 'served' | 'arrived' | 'queued' | 'absent' | 'denied' | 'limited' | 'unavailable';

export interface MissEvents {
  /** What asks now, as a `traceparent`; undefined where that is not traced. */
  missCause?(): string | undefined;
  /** The upstream has no such tag, and a rule named a source for it. */
  missed(event: { readonly outcome: MissOutcome }): void;
  /** The wait for a copy ended because the upstream could not be asked for it. */
  waitFailed?(event: { readonly destination: string; readonly error: unknown }): void;
}

export interface MissOptions
  extends Omit<MissSourcesOptions, 'upstream' | 'questions' | 'maxEntries' | 'requeueMs' | 'now'>,
    Omit<HistoryOptions, 'upstream' | 'isHad'> {
  /** Takes copies over. */
  readonly queue: TaskSink;
  readonly events?: Partial<MissEvents>;
  /** Default `serve`. */
  readonly onMiss?: OnMiss;
  /** With `wait`: how long, milliseconds. Default 60,000. */
  readonly waitMs?: number;
  /** `wait`: until the upstream is first checked for the copy, ms; then less often. Default 500. */
  readonly pollMs?: number;
  /** How long a source's "no such tag" is believed, milliseconds. Default 5,000. */
  readonly absentMs?: number;
  /** Requests a second to sources for unknown tags; beyond that a tag is absent. Default 50. */
  readonly questionsPerSecond?: number;
  /** For how long a copy of the same content is not queued again, milliseconds. Default 600,000. */
  readonly requeueMs?: number;
  /** Tags remembered as absent, and as queued, about 0.2 KB each. Default 50,000. */
  readonly maxEntries?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Manifests answered from a source, and limits on requests to sources. */
interface FallbackAnswer {
  readonly to: Repository;
  readonly tag?: Tag;
  readonly from: OpenSource;
  readonly asked: ManifestOptions;
}

const absent: ManifestAnswer = Object.freeze({ kind: 'absent' });

/**
 * The upstream, filled from its sources. What it answers 404 to, and only that, is answered from
 * where a rule says that it comes from; by digest, what hangs below such a tag. Callers must
 * authorize first. If the source fails, the answer is `UNAVAILABLE`, so that a 404 is never cached
 * by mistake.
 */
export function filledFromSource(upstream: Upstream, options: MissOptions): Upstream {
  const { events = {}, onMiss = 'serve', now = Date.now, maxEntries = 50_000 } = options;
  const { waitMs = 60_000, pollMs = 500, absentMs = 5_000, questionsPerSecond = 50 } = options;
  const { queue, requeueMs = 600_000 } = options;
  if (onMiss === 'off') return upstream;
  const limits = { absentMs, knownMs: requeueMs, perSecond: questionsPerSecond };
  const questions = createMissQuestions({ maxEntries, now, ...limits });
  const sources = createMissSources({ ...options, upstream, questions, maxEntries, requeueMs, now });
  const history = createHistory({ ...options, upstream: upstream.name, isHad });
  const search = createMissSearch({ upstream: upstream.name, history, sources, questions, maxEntries });
  const copies = createMissCopies({ maxEntries, now, queue, requeueMs, cause: () => events.missCause?.() });
  const closing = new AbortController();

  const ended = (outcome: MissOutcome): void => events.missed?.({ outcome });

  const destinationOf = (repository: Repository, tag: Tag) => taggedImage(upstream.name, repository, tag);

  async function missed(repository: Repository, tag: Tag, asked: ManifestOptions): Promise<ManifestAnswer> {
    const result = await search(repository, tag).catch((error: unknown) => {
      ended(failureOf(error));
      throw error;
    });
    if (result === undefined) return absent;
    const destination = destinationOf(repository, tag);
    if (result.kind === 'none') {
      ended(result.outcome);
      if (result.outcome !== 'limited') copies.forget(destination.text);
      return { kind: 'absent', reason: result.reason };
    }
    const { manifest } = result;
    if (result.kind === 'remembered' || !result.from.isCopied) {
      ended('served');
      if (result.kind === 'remembered') return answered(manifest, asked);
      return lent(manifest, { to: repository, tag, from: result.from, asked });
    }
    copies.add(destination, result.from, manifest.descriptor.digest);
    if (onMiss === 'queue') {
      ended('queued');
      return { kind: 'absent', reason: `not in ${upstream.name}/${repository}; its copy is queued` };
    }
    const arrived = onMiss === 'wait' ? await arrival(repository, tag, asked) : undefined;
    ended(arrived === undefined ? 'served' : 'arrived');
    return arrived ?? lent(manifest, { to: repository, tag, from: result.from, asked });
  }

  /** The upstream's answer once the copy is there. Its own failures do not reach the client. */
  function arrival(repository: Repository, tag: Tag, asked: ManifestOptions) {
    const ask = async () => {
      const answer = await ownByTag(repository, tag, asked);
      return answer.kind === 'absent' ? undefined : answer;
    };
    const failed = (error: unknown): void =>
      events.waitFailed?.({ destination: destinationOf(repository, tag).text, error });
    return answerInTime(ask, { waitMs, pollMs, signal: closing.signal, failed });
  }

  async function ownByTag(repository: Repository, tag: Tag, asked: ManifestOptions): Promise<ManifestAnswer> {
    const answer = await upstream.manifest(repository, { tag }, asked);
    if (answer.kind !== 'absent') copies.forget(destinationOf(repository, tag).text);
    if (answer.kind === 'found') sources.returned(answer.descriptor.digest);
    return answer;
  }

  function lent(manifest: ServedManifest, { to, tag, from, asked }: FallbackAnswer): ManifestAnswer {
    sources.lent({ repository: to, digest: manifest.descriptor.digest, tag }, from);
    return answered(manifest, asked);
  }

  async function byDigest(
    repository: Repository,
    digest: Digest,
    asked: ManifestOptions,
  ): Promise<ManifestAnswer> {
    const answer = await upstream.manifest(repository, { digest }, asked);
    if (answer.kind !== 'absent') return answer;
    const isRuled = sources.isRuled(repository, digest);
    let limit: string | undefined;
    const ask = async (from: OpenSource): Promise<ManifestAnswer> => {
      const manifest = await from.origin.manifests.resolve(from.repository, { digest });
      return lent(manifest, { to: repository, from, asked });
    };
    const limited = (reason: string): void => {
      limit = reason;
    };
    try {
      const found = await sources.answer(repository, digest, ask, limited);
      if (isRuled) ended(found !== undefined ? 'served' : limit === undefined ? 'absent' : 'limited');
      const reason = limit ?? sources.absence(repository, digest);
      return found ?? { kind: 'absent', ...defined({ reason }) };
    } catch (error) {
      if (isRuled) ended(failureOf(error));
      throw error;
    }
  }

  async function byTag(repository: Repository, tag: Tag, asked: ManifestOptions): Promise<ManifestAnswer> {
    const answer = await ownByTag(repository, tag, asked);
    return answer.kind === 'absent' ? missed(repository, tag, asked) : answer;
  }

  /** What the upstream has of the digest, else what a source has. */
  async function orLent<Value>(
    repository: Repository,
    digest: Digest,
    ask: (upstream: Upstream, repository: Repository) => Promise<Value | undefined>,
  ): Promise<Value | undefined> {
    const own = await ask(upstream, repository);
    if (own !== undefined) return own;
    return sources.answer(repository, digest, (source) => ask(source.origin.upstream, source.repository));
  }

  async function isHad(repository: Repository, digest: Digest): Promise<boolean> {
    const found = await orLent(repository, digest, async (registry, place) => {
      const answer = await registry.manifest(place, { digest }, { method: 'HEAD', isUrgent: true });
      return answer.kind === 'absent' ? undefined : answer;
    });
    return found !== undefined;
  }

  /**
   * A source's blob comes through the source's own cache, so that copies and clients share one
   * download of it, unless rules fill that upstream, too (past-cache.ts).
   */
  async function openBlob(repository: Repository, digest: Digest, asked?: BlobOptions) {
    const own = await upstream.openBlob(repository, digest, asked);
    if (own !== undefined) return own;
    return sources.answer(repository, digest, ({ origin, repository: place }) =>
      origin.reader.openBlob(place, digest, asked),
    );
  }

  return {
    name: upstream.name,
    get hasRanges() {
      return upstream.hasRanges;
    },
    async isReachable({ manifest: wanted, ...asked } = {}) {
      const lender = wanted && sources.lenderOf(wanted);
      if (!(await upstream.isReachable(asked))) return false;
      return lender === undefined || lender.origin.upstream.isReachable(asked);
    },
    manifest: (repository, reference, asked = {}) =>
      asked.isOwn === true
        ? upstream.manifest(repository, reference, asked)
        : reference.digest === undefined
          ? byTag(repository, reference.tag, asked)
          : byDigest(repository, reference.digest, asked),
    statBlob: (repository, digest, asked) =>
      orLent(repository, digest, (registry, place) => registry.statBlob(place, digest, asked)),
    openBlob,
    forwardBlob: (repository, digest, asked) =>
      orLent(repository, digest, (registry, place) => registry.forwardBlob(place, digest, asked)),
    tags: (repository, query, asked) => upstream.tags(repository, query, asked),
    referrers: (repository, digest, query, asked) => upstream.referrers(repository, digest, query, asked),
    async close() {
      closing.abort();
      await upstream.close();
    },
  };
}

/** Of a source that could not tell. */
function failureOf(error: unknown): 'denied' | 'unavailable' {
  return error instanceof Error && isDenied(error.cause) ? 'denied' : 'unavailable';
}

/** Without the source's entity tag: the upstream would take it for one of its own. */
function answered({ descriptor, bytes, warnings }: ServedManifest, asked: ManifestOptions): ManifestAnswer {
  return { kind: 'found', descriptor, warnings, ...(asked.method === 'HEAD' ? {} : { bytes }) };
}
