import { backoffMs } from '../base/time/backoff.ts';
import { type Clock, hasSlept, systemClock } from '../base/time/wait.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type WatchEnd, watched } from '../kubernetes/watch.ts';
import type { ImageStreamTag } from './image-stream-tag.ts';
import {
  createSeenTags,
  type ImageStreamObject,
  type SeenTags,
  type StatusTag,
  type StreamChange,
  type StreamPage,
} from './stream-tags.ts';

/** Who is told of the tags. Called for one tag at a time; must not throw. */
export interface StreamListener {
  /** The tag has this image now; at the beginning, every tag. What is watched happened just now. */
  changed(tag: StatusTag, seen: 'listed' | 'watched'): void;
  /** The tag, or its stream, is no more. */
  removed(tag: ImageStreamTag): void;
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
  readonly pages: (signal: AbortSignal) => AsyncIterable<StreamPage>;
  readonly listener: StreamListener;
  readonly signal: AbortSignal;
  readonly options: FollowOptions;
}

interface Memory {
  readonly tags: SeenTags;
  /** Failures since watching was last of use. */
  failures: number;
}

const longestPauseMs = 30_000;

/** Lists, watches, and lists again when the watch is unreliable, until aborted. Never rejects. */
export async function followed(following: Following): Promise<void> {
  const { signal, options } = following;
  const memory: Memory = { tags: createSeenTags(), failures: 0 };
  let reason: ListReason = 'start';
  while (!signal.aborted) {
    try {
      const version = await listed(following, memory, reason);
      reason = await watchedOn(following, memory, version);
    } catch (error) {
      if (signal.aborted) return;
      const pauseMs = nextPauseMs(memory, options);
      options.events?.failed?.({ error, pauseMs });
      await hasSlept(pauseMs, signal);
    }
  }
}

/** Resolves to the version that a watch goes on from. */
async function listed(
  { pages, listener, signal, options }: Following,
  { tags }: Memory,
  reason: ListReason,
): Promise<string> {
  const startedAt = performance.now();
  const lookedAll = tags.look();
  let changed = 0;
  let version = '';
  for await (const page of pages(signal)) {
    version ||= page.version;
    for (const stream of page.streams) changed += told(tags.saw(stream), listener, 'listed');
  }
  changed += told({ changed: [], removed: lookedAll() }, listener, 'listed');
  const seconds = (performance.now() - startedAt) / 1000;
  options.events?.listed?.({ reason, streams: tags.streams, tags: tags.tags, changed, seconds });
  return version;
}

/** Watches, again and again, until there is a reason to list. */
async function watchedOn(following: Following, memory: Memory, from: string): Promise<ListReason> {
  const { client, path, listener, signal, options } = following;
  const freshness = fresh(options);
  const stop = AbortSignal.any([signal, freshness.signal]);
  let version = from;
  const seen = (type: string, object: ImageStreamObject) => {
    freshness.sign();
    memory.failures = 0;
    version = object.metadata?.resourceVersion ?? version;
    if (type === 'DELETED') told(memory.tags.lost(object), listener, 'watched');
    else if (type !== 'BOOKMARK') told(memory.tags.saw(object), listener, 'watched');
  };
  try {
    while (!stop.aborted) {
      const startedAt = performance.now();
      const end = await watched(client, { path, version, seen, signal: stop }).catch((error: unknown) => ({
        error,
      }));
      if (performance.now() - startedAt >= longestPauseMs) memory.failures = 0;
      await pausedAfter(end, memory, options, stop);
      if (end === 'gone') return 'gone';
    }
    return freshness.reason();
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
  const isRare = end === 'gone' && memory.failures === 0;
  const pauseMs = nextPauseMs(memory, options);
  if (typeof end === 'object') options.events?.failed?.({ error: end.error, pauseMs });
  if (!isRare) await hasSlept(pauseMs, stop);
}

function nextPauseMs(memory: Memory, { pauseMs: firstMs = 1_000 }: FollowOptions): number {
  const pauseMs = backoffMs(memory.failures, { firstMs, longestMs: longestPauseMs, jitter: 0.25 });
  memory.failures += 1;
  return pauseMs;
}

/** Aborts when the watch was silent for too long, and at its maximum age. */
function fresh({ silenceMs = 300_000, relistMs = 3_600_000, clock = systemClock }: FollowOptions) {
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

function told(
  { changed, removed }: StreamChange,
  listener: StreamListener,
  seen: 'listed' | 'watched',
): number {
  for (const tag of changed) listener.changed(tag, seen);
  for (const tag of removed) listener.removed(tag);
  return changed.length + removed.length;
}
