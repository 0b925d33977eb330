import { Semaphore } from '../../base/flow/semaphore.ts';
import type { CopyEvents } from '../images/copy-events.ts';
import { type ImageCopy, routeOf } from '../images/image-copy.ts';
import { type CopyReport, createTally, type Tally } from '../images/tally.ts';
import { type CopyRetryOptions, persistently, retryOptions } from './retry.ts';
import { createSharedContent, type SharedContent } from './shared-content.ts';

export interface CopyRunOptions extends CopyRetryOptions {
  /** Requests and uploads at a time between one source and one destination. Default 6. */
  readonly maxPerRoute?: number;
  /** Default: no events. */
  readonly events?: Partial<CopyEvents>;
  /** Ends everything that runs. Default: never. */
  readonly signal?: AbortSignal;
  /** Milliseconds. Default `Date.now`. */
  readonly now?: () => number;
}

/** State that many copies share: limits, known content, counters. Holds nothing to close. */
export interface CopyRun {
  readonly shared: SharedContent;
  readonly tally: Tally;
  readonly events: Partial<CopyEvents>;
  readonly signal: AbortSignal;
  /** One request or upload of that image, when its route has room. */
  step<T>(image: ImageCopy, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Tried again while it fails in a way that passes. */
  persistently<T>(image: ImageCopy, work: () => Promise<T>, tries: number): Promise<T>;
  report(): CopyReport;
}

/**
 * A run without knowledge yet. It never rechecks what it learned, so it should not live for days;
 * content that a destination lost meanwhile costs a refused manifest, and is mended.
 */
export function createCopyRun(options: CopyRunOptions = {}): CopyRun {
  const { maxPerRoute = 6, events = {}, now = Date.now } = options;
  const retry = retryOptions(options);
  const routes = new Semaphore({ permits: maxPerRoute });
  const counters = createTally(now);
  const signal = options.signal ?? new AbortController().signal;
  return {
    shared: createSharedContent(),
    tally: counters,
    events,
    signal,
    step: (image, work, own) => routes.run(work, own, routeOf(image)),
    persistently: (image, work, tries) =>
      persistently(work, {
        ...retry,
        tries,
        signal,
        retried: ({ kind, message }, waitMs) => events.retried?.({ image, kind, reason: message, waitMs }),
      }),
    report: () => counters.report(),
  };
}
