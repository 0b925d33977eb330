import { backoffMs } from '../base/time/backoff.ts';
import { type Clock, hasSlept, systemClock, type Timer } from '../base/time/wait.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type WatchEnd, watched } from '../kubernetes/watch.ts';
import type { ImageStreamObject } from './stream-tags.ts';

/** What is told of whole streams; each method returns how many tags changed. Must not throw. */
export interface StreamObserver {
  /** What is watched happened just now. */
  saw(stream: ImageStreamObject, seen: 'listed' | 'watched'): number;
  lost(stream: ImageStreamObject): number;
  /** Begins a scan of all streams; its returned function drops what was not seen again. */
  look(): () => number;
  /** Streams and tags that are known now. */
  readonly streams: number;
  readonly tags: number;
}

/** Why all streams are listed: at the start, version expired, silence, or periodically. */
type ListReason = 'start' | 'gone' | 'silent' | 'due';

/** What following reports. */
export interface FollowEvents {
  listed(event: {
    readonly reason: ListReason;
    readonly streams: number;
    readonly tags: number;
    readonly changed: number;
    readonly seconds: number;
  }): void;
  /** The server could not be listed or watched; it is asked again after a pause. */
  failed(event: { readonly error: unknown; readonly pauseMs: number }): void;
  /**
   * Whether what was told is what the server has: false when it fails, was silent for too long or
   * forgot our version, true when its events arrive, or a watch is open: after a failure for 1 s.
   */
  followed(event: { readonly isCurrent: boolean }): void;
}

export interface FollowOptions {
  /** Lists all again after a silence this long, ms. Default 300,000; bookmarks come each minute. */
  readonly silenceMs?: number;
  /** All is listed again after so long, milliseconds. Default 3,600,000. */
  readonly relistMs?: number;
  readonly clock?: Clock;
  /** The first pause before a retry, ms; doubles up to 30 s. Default 1,000. */
  readonly pauseMs?: number;
  readonly events?: Partial<FollowEvents>;
}

interface Following {
  readonly client: KubernetesClient;
  /** Of the streams in the API. */
  readonly path: string;
  /** Every stream; the return value is the version of the list. */
  readonly list: (signal: AbortSignal) => AsyncGenerator<ImageStreamObject, string>;
  readonly observer: StreamObserver;
  readonly signal: AbortSignal;
  readonly options: FollowOptions;
}

interface Memory {
  /** Failures since watching was last of use. */
  failures: number;
  /** What was told may not be what the server has. */
  isUnsure: boolean;
}

const longestPauseMs = 30_000;
const usualSilenceMs = 300_000;
/** A server accepts a watch first, and may say then that it forgot the version. */
const acceptedMs = 1_000;

/** Lists, watches, and lists again when the watch is unreliable, until aborted. Never rejects. */
export async function followed(following: Following): Promise<void> {
  const { signal, options } = following;
  const memory: Memory = { failures: 0, isUnsure: false };
  let reason: ListReason = 'start';
  while (!signal.aborted) {
    try {
      const version = await listed(following, memory, reason);
      reason = await watchedOn(following, memory, version);
    } catch (error) {
      if (signal.aborted) return;
      const pauseMs = nextPauseMs(memory, options);
      failedWith(error, pauseMs, memory, options);
      await hasSlept(pauseMs, signal);
    }
  }
}

/** Resolves to the version that a watch goes on from. */
async function listed(
  { list, observer, signal, options }: Following,
  memory: Memory,
  reason: ListReason,
): Promise<string> {
  const startedAt = performance.now();
  const lookedAll = observer.look();
  const streams = list(signal);
  const { clock = systemClock, silenceMs = usualSilenceMs } = options;
  // Nothing is watched meanwhile.
  using _late = clock.setTimeout(() => tell(false, memory, options), silenceMs);
  let changed = 0;
  let next = await streams.next();
  for (; next.done !== true; next = await streams.next()) changed += observer.saw(next.value, 'listed');
  changed += lookedAll();
  const seconds = (performance.now() - startedAt) / 1000;
  memory.isUnsure = false;
  const { streams: count, tags } = observer;
  options.events?.listed?.({ reason, streams: count, tags, changed, seconds });
  return next.value;
}

/** Watches, again and again, until there is a reason to list. */
async function watchedOn(following: Following, memory: Memory, from: string): Promise<ListReason> {
  const { client, path, observer, signal, options } = following;
  const { clock = systemClock } = options;
  const freshness = fresh(options);
  const stop = AbortSignal.any([signal, freshness.signal]);
  let version = from;
  const seen = (type: string, object: ImageStreamObject) => {
    freshness.sign();
    memory.failures = 0;
    version = object.metadata?.resourceVersion ?? version;
    if (type === 'DELETED') observer.lost(object);
    else if (type !== 'BOOKMARK') observer.saw(object, 'watched');
    current();
  };
  let accepted: Timer | undefined;
  const current = () => {
    accepted?.[Symbol.dispose]();
    tell(true, memory, options);
  };
  const opened = () => {
    if (memory.isUnsure) accepted = clock.setTimeout(current, acceptedMs);
    else current();
  };
  try {
    while (!stop.aborted) {
      const startedAt = performance.now();
      const end = await watched(client, { path, version, seen, opened, signal: stop }).catch(
        (error: unknown) => ({
          error,
        }),
      );
      accepted?.[Symbol.dispose]();
      if (performance.now() - startedAt >= longestPauseMs) memory.failures = 0;
      await pausedAfter(end, memory, options, stop);
      if (end === 'gone') return 'gone';
    }
    const reason = freshness.reason();
    if (reason === 'silent') tell(false, memory, options);
    return reason;
  } finally {
    freshness.close();
  }
}

/** A failing server is retried slowly; an expired version or one silence is not its failure. */
async function pausedAfter(
  end: WatchEnd | { readonly error: unknown },
  memory: Memory,
  options: FollowOptions,
  stop: AbortSignal,
): Promise<void> {
  if (end === 'idle') return;
  if (end === 'gone') tell(false, memory, options);
  const isRare = end === 'gone' && memory.failures === 0;
  const pauseMs = nextPauseMs(memory, options);
  if (typeof end === 'object') failedWith(end.error, pauseMs, memory, options);
  if (!isRare) await hasSlept(pauseMs, stop);
}

function nextPauseMs(memory: Memory, { pauseMs: firstMs = 1_000 }: FollowOptions): number {
  const pauseMs = backoffMs(memory.failures, { firstMs, longestMs: longestPauseMs, jitter: 0.25 });
  memory.failures += 1;
  return pauseMs;
}

/** Aborts when the watch was silent for too long, and at its maximum age. */
function fresh({ silenceMs = usualSilenceMs, relistMs = 3_600_000, clock = systemClock }: FollowOptions) {
  const stale = new AbortController();
  let reason: ListReason = 'due';
  const end = (why: ListReason) => {
    reason = why;
    stale.abort();
  };
  const silence = clock.setTimeout(() => end('silent'), silenceMs);
  const due = clock.setTimeout(() => end('due'), relistMs);
  return {
    signal: stale.signal,
    sign: () => void silence.refresh(),
    reason: () => reason,
    close() {
      silence[Symbol.dispose]();
      due[Symbol.dispose]();
    },
  };
}

function failedWith(error: unknown, pauseMs: number, memory: Memory, options: FollowOptions): void {
  tell(false, memory, options);
  options.events?.failed?.({ error, pauseMs });
}

function tell(isCurrent: boolean, memory: Memory, { events }: FollowOptions): void {
  memory.isUnsure = !isCurrent;
  events?.followed?.({ isCurrent });
}
