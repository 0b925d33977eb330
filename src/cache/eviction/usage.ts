import { randomBytes } from 'node:crypto';
import { concurrently } from '../../base/flow/each.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { parseUsageKey, usageKey, usagePrefix } from '../../store/keys.ts';
import type { Records } from '../../store/records.ts';
import type { CacheEvents } from '../events.ts';

/** When content was last served, by any replica: the basis of "least recently used". */
export interface Usage {
  /** Notes that the digest was served. For the hot path: memory only, a few nanoseconds. */
  touched(digest: Digest): void;
  /** True when this process served the digest within about the last ten minutes. */
  isRecent(digest: Digest): boolean;
  /** Writes the notes. Never rejects: the next flush writes what failed. */
  flush(): Promise<void>;
  /** The uses that only this process knows of yet, unordered, several per digest. */
  unwritten(): readonly (readonly [Digest, number])[];
  close(): Promise<void>;
}

/** Takes one use; `usedAt` is in milliseconds since the epoch. */
type VisitUse = (digest: Digest, usedAt: number) => void;

interface UsageOptions {
  readonly records: Records;
  /** Names this replica in the records. A random part is added, so two of one name do no harm. */
  readonly instance: string;
  readonly events?: Pick<CacheEvents, 'storeFailed'>;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** A later use is written once the recorded one is this old: steady use costs no writes. */
const resolutionMs = 600_000;
/** Digests in one record, about 0.8 MB; then the next begins: no flush rewrites the whole day. */
const maxEntries = 10_000;
/** How long usage is kept; older content counts as used when it was stored. */
const keepMs = 30 * 86_400_000;
/** How often the notes are written, milliseconds. */
export const flushEveryMs = 60_000;
const readsAtATime = 8;

/** The one record that is being added to. */
interface Segment {
  readonly day: string;
  readonly key: string;
  readonly uses: Map<Digest, number>;
  isDirty: boolean;
}

/** Which uses are to be written, and when. No I/O. */
export class UseNotes<Key> {
  /** Served since the last look. */
  #touched = new Set<Key>();
  /** Latest use on record, for uses younger than the resolution. */
  readonly #recorded = new Map<Key, number>();

  touched(key: Key): void {
    this.#touched.add(key);
  }

  isRecent(key: Key): boolean {
    return this.#touched.has(key) || this.#recorded.has(key);
  }

  /** What was noted and is not on record of late, which it is from now on. */
  absorbed(now: number): readonly Key[] {
    for (const [key, usedAt] of this.#recorded) if (usedAt <= now - resolutionMs) this.#recorded.delete(key);
    const news = [...this.#touched].filter((key) => !this.#recorded.has(key));
    for (const key of news) this.#recorded.set(key, now);
    this.#touched = new Set();
    return news;
  }

  /** All uses that are remembered; those since the last look count as now. */
  *all(now: number): Generator<readonly [Key, number]> {
    yield* this.#recorded;
    for (const key of this.#touched) yield [key, now];
  }
}

interface State {
  readonly notes: UseNotes<Digest>;
  segment: Segment;
  flushing: Promise<void> | undefined;
  prunedOn: string;
}

/**
 * Usage in records of one writer each, `v1/usage/<day>/<instance>`: no locks, no merges, and any
 * replica reads them all. A line is a digest and a time in seconds.
 */
export function createUsage(options: UsageOptions): Usage {
  const clock = options.clock ?? Date.now;
  const segment = segments(options.instance);
  const state: State = {
    notes: new UseNotes(),
    segment: segment(dayOf(clock())),
    flushing: undefined,
    prunedOn: '',
  };

  async function flushOnce(): Promise<void> {
    const now = clock();
    const today = dayOf(now);
    if (state.segment.day !== today) {
      state.segment = segment(today, state.segment.isDirty ? state.segment.uses : new Map());
    }
    absorb(state, wholeSeconds(now));
    try {
      await writeSegment(options.records, state.segment);
      if (state.segment.uses.size >= maxEntries) state.segment = segment(today);
      if (state.prunedOn !== today) await prune(options.records, dayOf(now - keepMs));
      state.prunedOn = today;
    } catch (error) {
      options.events?.storeFailed({ operation: 'write', error });
    }
  }

  function flush(): Promise<void> {
    state.flushing ??= flushOnce().finally(() => {
      state.flushing = undefined;
    });
    return state.flushing;
  }

  const timer = setInterval(() => void flush(), flushEveryMs);
  timer.unref();
  return {
    touched: (digest) => state.notes.touched(digest),
    isRecent: (digest) => state.notes.isRecent(digest),
    flush,
    unwritten() {
      const now = wholeSeconds(clock());
      return [...(state.segment.isDirty ? state.segment.uses : []), ...state.notes.all(now)];
    },
    async close() {
      clearInterval(timer);
      await state.flushing;
      await flush();
    },
  };
}

/** Makes the records of one process, each with a key that no other process writes. */
function segments(instance: string): (day: string, uses?: Map<Digest, number>) => Segment {
  const boot = randomBytes(4).toString('hex');
  let count = 0;
  return (day, uses = new Map()) => {
    count += 1;
    const key = usageKey(day, `${instance}.${boot}.${count}`);
    return { day, key, uses, isDirty: uses.size > 0 };
  };
}

function absorb({ notes, segment }: State, now: number): void {
  for (const digest of notes.absorbed(now)) {
    segment.uses.set(digest, now);
    segment.isDirty = true;
  }
}

async function writeSegment(records: Records, segment: Segment): Promise<void> {
  if (!segment.isDirty) return;
  const lines = Array.from(segment.uses, ([digest, usedAt]) => `${digest} ${usedAt / 1_000}\n`);
  await records.put(segment.key, Buffer.from(lines.join(''), 'latin1'));
  segment.isDirty = false;
}

async function prune(records: Records, oldestDay: string): Promise<void> {
  await concurrently(records.list(usagePrefix), readsAtATime, async ({ key }) => {
    const parsed = parseUsageKey(key);
    if (parsed !== undefined && parsed.day < oldestDay) await records.delete(key);
  });
}

/**
 * Emits the uses of all replicas that are on record, unordered, several per digest; the latest
 * counts, and is right to about 10 min. Rejects if a record cannot be read: used content could look
 * unused.
 */
export async function eachUse(
  records: Records,
  visit: VisitUse,
  signal: AbortSignal | undefined,
): Promise<void> {
  const listing = records.list(usagePrefix, signal === undefined ? {} : { signal });
  const read = async ({ key }: { readonly key: string }) => {
    const record = await records.get(key);
    if (record !== undefined) readLines(Buffer.from(record.bytes), visit);
  };
  await concurrently(listing, readsAtATime, read, { signal });
}

/** Copies each digest out of the bytes, so that it does not keep the record's text in memory. */
function readLines(bytes: Buffer, visit: VisitUse): void {
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    const space = bytes.indexOf(32, start);
    const digest = bytes.toString('latin1', start, Math.min(space < 0 ? end : space, end));
    const usedAt = Number(bytes.toString('latin1', space + 1, end)) * 1_000;
    if (isDigest(digest) && Number.isSafeInteger(usedAt)) visit(digest, usedAt);
    start = end + 1;
  }
}

/** As the records have it, so that a replica sees its own uses as the others do. */
function wholeSeconds(time: number): number {
  return Math.floor(time / 1_000) * 1_000;
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
