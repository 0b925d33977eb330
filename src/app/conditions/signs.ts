import { createLru } from '../../base/state/lru.ts';
import type { MeteredEvents } from '../../telemetry/metrics/metrics.ts';

/** What a part last showed of itself. */
interface Sign {
  readonly isGood: boolean;
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Why not, where that is known. */
  readonly error?: unknown;
}

/** What passing events say of the parts: no request is made to learn it. */
export interface Signs {
  /** The same events, which are also noted here. */
  noted(events: MeteredEvents): MeteredEvents;
  upstream(name: string): Sign | undefined;
  cluster(name: string): Sign | undefined;
  /** Why the store's own check failed, or its breaker is open; undefined while neither is so. */
  readonly storeError: unknown;
  readonly spool: { readonly bytes: number; readonly error?: unknown };
  /** Why nothing can be written to the disk before the bucket; undefined while that works. */
  readonly diskError: unknown;
  /** How far other clocks are ahead of ours, by who told, in milliseconds. */
  readonly skews: ReadonlyMap<string, number>;
}

const unknownError = new Error('no cause is known');

/** `now`: monotonic milliseconds. */
export function createSigns(now: () => number = () => performance.now()): Signs {
  const upstreams = createLru<string, Sign>(1_000);
  const clusters = createLru<string, Sign>(1_000);
  const skews = new Map<string, number>();
  let checkError: unknown;
  let breakerError: unknown;
  let diskError: unknown;
  let spool: Signs['spool'] = { bytes: 0 };

  return {
    noted: (events) => ({
      ...events,
      requested(event) {
        events.requested(event);
        const { upstream, status } = event;
        if (status > 0 && status < 500) upstreams.set(upstream, { isGood: true, at: now() });
      },
      reachabilityChanged(event) {
        events.reachabilityChanged?.(event);
        const { upstream, isReachable: isGood, error } = event;
        upstreams.set(upstream, { isGood, at: now(), ...(isGood ? {} : { error }) });
      },
      dated(event) {
        events.dated?.(event);
        skews.set(event.upstream, event.skewMs);
      },
      reviewed(event) {
        events.reviewed(event);
        const { cluster, outcome, failure, status } = event;
        const isGood = outcome !== 'failed';
        const words = `a review failed: ${failure}${status === undefined ? '' : `, status ${status}`}`;
        clusters.set(cluster, { isGood, at: now(), ...(isGood ? {} : { error: new Error(words) }) });
      },
      breakerChanged(event) {
        events.breakerChanged(event);
        const { upstream, state, error } = event;
        if (state === 'open') upstreams.set(upstream, { isGood: false, at: now(), error });
      },
      availabilityChanged(event) {
        events.availabilityChanged(event);
        breakerError = event.isAvailable ? undefined : (event.error ?? unknownError);
      },
      usabilityChanged(event) {
        events.usabilityChanged?.(event);
        checkError = event.isUsable ? undefined : (event.error ?? unknownError);
      },
      spoolChanged(event) {
        events.spoolChanged(event);
        spool = { ...spool, bytes: event.bytes };
      },
      diskUsabilityChanged(event) {
        events.diskUsabilityChanged(event);
        diskError = event.isUsable ? undefined : (event.error ?? unknownError);
      },
      spoolUsabilityChanged(event) {
        events.spoolUsabilityChanged?.(event);
        const { bytes } = spool;
        spool = event.isUsable ? { bytes } : { bytes, error: event.error ?? unknownError };
      },
    }),
    get diskError() {
      return diskError;
    },
    upstream: (name) => upstreams.get(name),
    cluster: (name) => clusters.get(name),
    get storeError() {
      return checkError ?? breakerError;
    },
    get spool() {
      return spool;
    },
    skews,
  };
}
