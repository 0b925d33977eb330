import { createSingleFlight } from '../../base/flow/single-flight.ts';
import type { Eviction } from '../../cache/eviction/plan.ts';
import type { PlanQuestion } from '../../cache/eviction/planner.ts';
import { parseJoint } from '../../cache/members/joint-record.ts';
import type { CacheContext } from '../../cache/registry/context.ts';
import type { Config } from '../../config/load.ts';
import type { Digest } from '../../oci/digest.ts';
import { RegistryError } from '../../oci/errors.ts';
import { membersPrefix, parseJointKey } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import { configuredPlanner } from '../generations/upkeep.ts';

interface EvictionLookParts {
  readonly cache: Pick<CacheContext, 'medium' | 'usage' | 'inUse' | 'total'>;
  readonly config: () => Pick<Config, 'eviction' | 'store'>;
  /** Ends with the service. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** What would go first is shown, and counted in all. */
const mostShown = 200;
/** Records of repositories that are read for names. */
const mostNamed = 300;
/** A walk of the store serves all who look within that time, milliseconds. */
const keepMs = 60_000;
const graceMs = 1_200_000;

/**
 * What would be evicted if the store could hold less: the plan of the eviction itself, made by a
 * walk in a thread, of which nothing is carried out.
 */
export function createEvictionLook({ cache, config, signal, now = Date.now }: EvictionLookParts) {
  const once = createSingleFlight<object>();
  const kept = new Map<number, { readonly at: number; readonly found: object }>();

  async function looked(percent: number): Promise<object> {
    const { eviction, store } = config();
    const size = eviction.maxBytes ?? (await cache.total.flush())?.bytes;
    if (size === undefined)
      throw new RegistryError(
        'UNAVAILABLE',
        'the store has not been measured since the start; try again later',
        {
          retryAfterSeconds: 60,
        },
      );
    const question: PlanQuestion = {
      ...{ maxBytes: size, highPercent: percent, lowPercent: percent, graceMs, now: now() },
      uses: cache.usage.unwritten(),
      inUse: cache.inUse(),
      keepMembersMs: undefined,
    };
    const { blobs, bytes, plan } = await configuredPlanner({ eviction, store }, cache.medium)(
      question,
      signal,
    );
    const gone = plan?.delete ?? [];
    const shown = gone.slice(0, mostShown);
    return {
      percent,
      ofBytes: size,
      isLimited: eviction.maxBytes !== undefined,
      blobs,
      bytes,
      afterBytes: plan?.afterBytes ?? bytes,
      gone: gone.length,
      kept: plan?.kept,
      oldestUse: gone.reduce((least, { usedAt }) => Math.min(least, usedAt), Number.POSITIVE_INFINITY),
      latestUse: gone.reduce((most, { usedAt }) => Math.max(most, usedAt), 0),
      shown: await named(shown, cache.medium.records),
    };
  }

  return (percent: number): Promise<object> => {
    const known = kept.get(percent);
    if (known !== undefined && now() - known.at < keepMs) return Promise.resolve(known.found);
    return once(String(percent), async () => {
      const found = await looked(percent);
      kept.set(percent, { at: now(), found });
      return found;
    });
  };
}

/** With a tag of each, where a record tells one. */
async function named(evictions: readonly Eviction[], records: Records): Promise<readonly object[]> {
  const wanted = new Set(evictions.map(({ digest }) => digest));
  const names = new Map<Digest, string>();
  let read = 0;
  for await (const { key } of records.list(membersPrefix)) {
    const scope = parseJointKey(key);
    if (scope === undefined) continue;
    read += 1;
    if (read > mostNamed || names.size === wanted.size) break;
    const bytes = (await records.get(key))?.bytes;
    const joint = bytes && parseJoint(bytes);
    if (joint === undefined || joint === 'later') continue;
    for (const [digest, { tags }] of joint.members) {
      const tag = tags.at(-1);
      if (wanted.has(digest) && !names.has(digest))
        names.set(digest, `${scope.upstream}/${scope.repository}${tag === undefined ? '' : `:${tag}`}`);
    }
  }
  return evictions.map(({ digest, size, usedAt, reason, isManifest }) => ({
    ...{ digest, size, usedAt, reason, isManifest },
    ...(names.has(digest) && { name: names.get(digest) }),
  }));
}
