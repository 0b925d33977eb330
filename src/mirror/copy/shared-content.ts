import { createLru } from '../../base/state/lru.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Repository } from '../../oci/reference.ts';
import { CopyError } from '../failure.ts';
import type { Landing } from '../images/copy-events.ts';

/** Where a piece of content is wanted. */
export interface ContentPlace {
  readonly kind: 'blob' | 'manifest' | 'referrers' | 'cosign';
  readonly registry: string;
  readonly repository: Repository;
  readonly digest: Digest;
}

export interface OnceOptions {
  /** The owner of the content, as text: a failure is shared only by copies from the same source. */
  readonly origin: string;
  /** That it was there before is not enough. */
  readonly mustSend: boolean;
  readonly signal: AbortSignal;
}

/** What several copies of a run know of each other's work. Nothing in it outlives the run. */
export interface SharedContent {
  /** Ensures the content: skips it if done, waits for a running copy, else does `work`. */
  once(place: ContentPlace, options: OnceOptions, work: () => Promise<Landing>): Promise<void>;
  /** The destination says that it does not have it after all. */
  forget(place: ContentPlace): void;
  /** Other repositories of the registry that are known to hold it, the latest first. */
  holders(place: ContentPlace): readonly Repository[];
  /** Sends it; copies for another repository of the registry may wait for it meanwhile. */
  send(place: ContentPlace, work: () => Promise<void>): Promise<void>;
  /** Resolves when the running upload to another repository is over; undefined when none runs. */
  sentElsewhere(place: ContentPlace): Promise<void> | undefined;
}

interface Flight {
  readonly origin: string;
  readonly done: Promise<Landing>;
}

/** Nothing known yet. Above `maxKnown` digests the oldest are forgotten, which costs requests. */
export function createSharedContent(maxKnown = 100_000): SharedContent {
  const known = createLru<string, Map<Repository, Landing>>(maxKnown);
  const flights = new Map<string, Flight>();
  const uploads = new Map<string, Promise<void>>();

  function remember(place: ContentPlace, landing: Landing): void {
    const key = registryKey(place);
    const repositories = known.get(key) ?? new Map<Repository, Landing>();
    repositories.set(place.repository, landing);
    known.set(key, repositories);
  }

  function isSettled(place: ContentPlace, mustSend: boolean): boolean {
    const landing = known.get(registryKey(place))?.get(place.repository);
    return landing !== undefined && (!mustSend || landing === 'copied');
  }

  async function lead(place: ContentPlace, origin: string, work: () => Promise<Landing>): Promise<void> {
    const key = placeKey(place);
    const done = work();
    flights.set(key, { origin, done });
    try {
      remember(place, await done);
    } finally {
      flights.delete(key);
    }
  }

  return {
    async once(place, { origin, mustSend, signal }, work) {
      for (;;) {
        if (isSettled(place, mustSend)) return;
        const flight = flights.get(placeKey(place));
        if (flight === undefined) return lead(place, origin, work);
        await landed(flight, origin, signal);
      }
    },
    forget: (place) => void known.get(registryKey(place))?.delete(place.repository),
    holders: (place) =>
      [...(known.get(registryKey(place))?.keys() ?? [])]
        .filter((repository) => repository !== place.repository)
        .reverse(),
    async send(place, work) {
      const key = registryKey(place);
      const { promise, resolve } = Promise.withResolvers<void>();
      if (!uploads.has(key)) uploads.set(key, promise);
      try {
        await work();
        remember(place, 'copied');
      } finally {
        if (uploads.get(key) === promise) uploads.delete(key);
        resolve();
      }
    },
    sentElsewhere: (place) => uploads.get(registryKey(place)),
  };
}

/** Resolves when the other copy is done or gave up; shares a failure that would be ours, too. */
async function landed(flight: Flight, origin: string, signal: AbortSignal): Promise<void> {
  try {
    await flight.done;
  } catch (error) {
    if (error instanceof CopyError && flight.origin === origin) throw error;
  }
  signal.throwIfAborted();
}

function registryKey({ kind, registry, digest }: ContentPlace): string {
  return `${kind} ${registry} ${digest}`;
}

function placeKey(place: ContentPlace): string {
  return `${registryKey(place)} ${place.repository}`;
}
