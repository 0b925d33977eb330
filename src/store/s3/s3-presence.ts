import { createSingleFlight } from '../../base/flow/single-flight.ts';
import { createLru } from '../../base/state/lru.ts';
import type { Digest } from '../../oci/digest.ts';

/** What is known about S3 without asking it. */
interface Presence {
  /** The size in bytes; undefined for absent. One `ask` for all who wait, none for known sizes. */
  size(digest: Digest, ask: () => Promise<number | undefined>): Promise<number | undefined>;
  learn(digest: Digest, size: number): void;
  /** Whether `size` would ask nothing. */
  knows(digest: Digest): boolean;
  /** It is not there, or no longer. */
  forget(digest: Digest): void;
  /** The size that is known now; undefined where none is. */
  known(digest: Digest): number | undefined;
  /**
   * S3 says that it is not there, to a question from when `known` was that. A size that was learned
   * since is newer: a put may end while the answer to a question from before it is on its way.
   */
  missed(digest: Digest, known: number | undefined): void;
}

/** Another replica may evict a known blob, so entries expire; a stale one costs a second call. */
const presentMs = 60 * 60 * 1000;
/** Another replica may store it any moment. */
const absentMs = 3_000;
const absent = -1;

export function createS3Presence(maxEntries: number, now = () => performance.now()): Presence {
  const known = createLru<Digest, number>(maxEntries, { now });
  const asking = createSingleFlight<number | undefined>();

  function learn(digest: Digest, size: number): void {
    known.set(digest, size, { ttl: presentMs });
  }

  async function asked(digest: Digest, ask: () => Promise<number | undefined>): Promise<number | undefined> {
    const size = await ask();
    if (size !== undefined) learn(digest, size);
    else missed(digest, undefined);
    return size ?? sizeOf(digest);
  }

  function sizeOf(digest: Digest): number | undefined {
    const held = known.get(digest);
    return held === absent ? undefined : held;
  }

  function forget(digest: Digest): void {
    known.set(digest, absent, { ttl: absentMs });
  }

  function missed(digest: Digest, before: number | undefined): void {
    if (sizeOf(digest) === before) forget(digest);
  }

  return {
    async size(digest, ask) {
      const held = known.get(digest);
      if (held !== undefined) return held === absent ? undefined : held;
      return await asking(digest, () => asked(digest, ask));
    },
    learn,
    knows: (digest) => known.has(digest),
    forget,
    known: sizeOf,
    missed,
  };
}
