import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import { oneLine } from '../../base/text/one-line.ts';
import { scrubbed } from '../../base/text/redaction.ts';
import { type Clock, systemClock } from '../../base/time/wait.ts';
import type { ProbeAnswer, Probes } from '../../explain/sources.ts';
import { createBuiltAt } from '../../mirror/images/built-at.ts';
import { pinned } from '../../mirror/references/image-reference.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { replyBelow, toRegistryError } from '../../oci/errors.ts';
import { type Reference, type Repository, referenceText } from '../../oci/reference.ts';
import type { RepositoryScope } from '../../store/keys.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { causeText } from './cause.ts';

interface ProbesOptions {
  /** The upstream itself, without the sources of its misses; undefined for what is none. */
  readonly upstream: (name: string) => Upstream | undefined;
  /** How long an answer is repeated without a request, milliseconds. Default 5,000. */
  readonly keepMs?: number;
  /** Requests at once to one upstream. Default 20. */
  readonly burst?: number;
  /** Further requests to one upstream in a minute. Default 30. */
  readonly perMinute?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Ends what takes too long. Default: the system's. */
  readonly clock?: Clock;
}

/** Requests that are left to one upstream. */
interface Allowance {
  left: number;
  countedAt: number;
}

type TimelessAnswer = ProbeAnswer extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'at'>
    : never
  : never;

const mostAnswers = 500;
const mostBuilt = 500;
/** The longest that one probe may take, milliseconds. */
const longestMs = 4_000;
const longestText = 300;

/** Asks upstreams within a limit for each; equal questions within `keepMs` are one request. */
export function createProbes(options: ProbesOptions): Probes {
  const { upstream, keepMs = 5_000, burst = 20, perMinute = 30, now = Date.now, clock } = options;
  const answers = createLru<string, ProbeAnswer>(mostAnswers, { keepMs, now });
  const built = createLru<Digest, number | 'unknown'>(mostBuilt);
  const allowances = new Map<string, Allowance>();
  const asking = createSingleFlight<ProbeAnswer>();

  /** How long until a request may be sent, in seconds; 0 counts one as sent. */
  function waitSeconds(name: string): number {
    const time = now();
    const own = allowances.get(name) ?? { left: burst, countedAt: time };
    own.left = Math.min(burst, own.left + ((time - own.countedAt) * perMinute) / 60_000);
    own.countedAt = time;
    allowances.set(name, own);
    if (own.left < 1) return Math.max(1, Math.ceil(((1 - own.left) * 60) / perMinute));
    own.left -= 1;
    return 0;
  }

  async function ask(
    { upstream: name }: RepositoryScope,
    key: string,
    request: (registry: Upstream, signal: AbortSignal) => Promise<TimelessAnswer>,
  ): Promise<ProbeAnswer> {
    const registry = upstream(name);
    if (registry === undefined) return { kind: 'foreign', at: now() };
    const known = answers.get(key);
    if (known !== undefined) return known;
    return asking(key, async () => {
      const retryAfterSeconds = waitSeconds(name);
      if (retryAfterSeconds > 0) return { kind: 'limited', retryAfterSeconds, at: now() };
      const answer = { ...(await answerOf(registry, request, clock)), at: now() };
      answers.set(key, answer);
      return answer;
    });
  }

  return {
    manifest: (place, reference) =>
      ask(place, `${keyOf(place)} manifest ${referenceText(reference)}`, (registry, signal) =>
        manifestAt(registry, place.repository, reference, signal),
      ),
    blob: (place, digest) =>
      ask(place, `${keyOf(place)} blob ${digest}`, async (registry, signal) => {
        const found = await registry.statBlob(place.repository, digest, { signal });
        if (found === undefined) return { kind: 'absent' };
        return { kind: 'found', digest, mediaType: found.mediaType ?? 'application/octet-stream' };
      }),
    async builtAt(place, digest) {
      const known = built.get(digest);
      if (known !== undefined) return known === 'unknown' ? undefined : known;
      const registry = upstream(place.upstream);
      if (registry === undefined || waitSeconds(place.upstream) > 0) return undefined;
      const image = pinned(
        { registry: place.upstream, repository: place.repository, reference: { digest }, text: '' },
        digest,
      );
      const read = createBuiltAt(() => registry);
      const at = await inTime((signal) => read(image, signal), clock).catch(() => undefined);
      built.set(digest, at ?? 'unknown');
      return at;
    },
  };
}

function keyOf({ upstream, repository }: RepositoryScope): string {
  return `${upstream}/${repository}`;
}

async function manifestAt(
  registry: Upstream,
  repository: Repository,
  reference: Reference,
  signal: AbortSignal,
): Promise<TimelessAnswer> {
  const asked = { method: 'HEAD', isUrgent: true, isOwn: true, signal } as const;
  const answer = await registry.manifest(repository, reference, asked);
  if (answer.kind !== 'found') return { kind: 'absent' };
  const { digest, mediaType } = answer.descriptor;
  return { kind: 'found', digest: isDigest(reference.digest) ? reference.digest : digest, mediaType };
}

async function answerOf(
  registry: Upstream,
  request: (registry: Upstream, signal: AbortSignal) => Promise<TimelessAnswer>,
  clock: Clock | undefined,
): Promise<TimelessAnswer> {
  return inTime(async (signal) => {
    try {
      return await request(registry, signal);
    } catch (error) {
      if (signal.aborted)
        return { kind: 'failed', code: 'UNAVAILABLE', message: `no answer within ${longestMs / 1000} s` };
      return failureOf(error);
    }
  }, clock);
}

async function inTime<Value>(
  work: (signal: AbortSignal) => Promise<Value>,
  clock = systemClock,
): Promise<Value> {
  const late = new AbortController();
  using _timer = clock.setTimeout(() => late.abort(), longestMs);
  return await work(late.signal);
}

function failureOf(error: unknown): TimelessAnswer {
  const { code, message } = toRegistryError(error);
  if (code === 'NAME_UNKNOWN' || code === 'MANIFEST_UNKNOWN') return { kind: 'absent', reason: message };
  const reply = replyBelow(error);
  const cause = causeText(error);
  return {
    kind: 'failed',
    code,
    message: oneLine(scrubbed(message), longestText),
    ...(reply === undefined ? {} : { status: reply.status }),
    ...(reply?.said === undefined ? {} : { said: reply.said }),
    ...(cause === undefined ? {} : { cause }),
  };
}
