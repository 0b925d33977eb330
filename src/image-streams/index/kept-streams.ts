import { createHash } from 'node:crypto';
import { field } from '../../base/text/json.ts';
import { type Clock, systemClock, type Timer, unlessAborted } from '../../base/time/wait.ts';
import type { StreamIndexEvents } from './events.ts';
import type { StreamBook } from './stream-book.ts';
import { decoded, encoded, type StreamItem } from './stream-copy.ts';

/** Small named values that all replicas share; the cache's records are such. */
export interface StreamRecords {
  get(key: string): Promise<{ readonly bytes: Uint8Array } | undefined>;
  put(key: string, bytes: Uint8Array): Promise<unknown>;
}

interface KeptStreamsOptions {
  readonly cluster: string;
  readonly records: StreamRecords;
  /** Where a part of the index lies. */
  readonly keyOf: (part: string) => string;
  /** The settings that decide what counts: records of others are not read. */
  readonly settings: string;
  readonly book: StreamBook;
  readonly events: Pick<StreamIndexEvents, 'streamsKept'>;
  /** True while the book is what the cluster has: nothing else is written. */
  readonly isCurrent: () => boolean;
  /** The longest time to a write, milliseconds. Default 60,000. */
  readonly everyMs?: number;
  readonly clock?: Clock;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Records of one index. A change writes one of them. */
const parts = 32;
/** The record that says how old all others may be. */
const head = 'head';
/** How often that is written while nothing changes, milliseconds. */
const headEveryMs = 5 * 60_000;

/**
 * The index in the store: a replica that starts knows what the others knew, until the cluster has
 * told it more. Each stream is in one of 32 records. A record is written when one of its streams
 * changed, once a minute at most, unless another replica has written the same.
 */
export class KeptStreams {
  readonly #options: KeptStreamsOptions;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #changed = new Set<number>();
  /** Replicas of other settings write the same records while they are updated one by one. */
  readonly #settings: string;
  #timer: Timer | undefined;
  #saving: Promise<void> = Promise.resolve();
  #headWrittenAt = Number.NEGATIVE_INFINITY;

  constructor(options: KeptStreamsOptions) {
    this.#options = options;
    this.#settings = digestOf(options.settings);
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Fills the empty book with what is not older than that, in milliseconds; resolves to when it was
   * what the cluster had, ms since the epoch. Undefined without such records, and once the signal
   * has aborted, after which the book is left alone. Never rejects.
   */
  async load(oldestMs: number, signal: AbortSignal): Promise<number | undefined> {
    try {
      const currentAt = await unlessAborted(this.#readHead(), signal);
      if (currentAt === undefined || this.#now() - currentAt >= oldestMs) {
        this.#tell('read', 'absent');
        return undefined;
      }
      for (let part = 0; part < parts; part += 1) await this.#loadPart(part, signal);
      this.#tell('read', 'done');
      return currentAt;
    } catch (error) {
      this.#tell('read', 'failed', error);
      return undefined;
    }
  }

  /** What the stream names has changed, or it is no more. */
  changed(stream: Pick<StreamItem, 'namespace' | 'name'>): void {
    this.#changed.add(partOf(stream));
  }

  /** Saves from now on, from time to time. */
  start(): void {
    const everyMs = (this.#options.everyMs ?? 60_000) * (0.5 + Math.random() / 2);
    this.#timer = this.#clock.setTimeout(() => {
      void this.save().then(() => this.#timer?.refresh());
    }, everyMs);
    this.#timer.unref();
  }

  /** Writes what has changed, if the book is current. Never rejects. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  /** Saves once more. */
  async close(): Promise<void> {
    const timer = this.#timer;
    this.#timer = undefined;
    timer?.[Symbol.dispose]();
    await this.save();
  }

  async #save(): Promise<void> {
    if (!this.#options.isCurrent()) return;
    try {
      for (const part of [...this.#changed]) await this.#savePart(part);
      if (this.#now() - this.#headWrittenAt >= headEveryMs) await this.#writeHead();
    } catch (error) {
      this.#tell('write', 'failed', error);
    }
  }

  async #savePart(part: number): Promise<void> {
    const { book, records, keyOf } = this.#options;
    const key = keyOf(`${part}`);
    this.#changed.delete(part);
    try {
      const written = await records.get(key);
      const ours = [...book.streams()].filter((stream) => partOf(stream) === part);
      if (written !== undefined && isSame(await versionsIn(written.bytes, this.#settings), ours)) {
        this.#tell('write', 'shared');
        return;
      }
      const copies = ours.flatMap((stream) => book.copy(stream) ?? []);
      await records.put(key, await encoded(copies, this.#settings));
      this.#tell('write', 'done');
    } catch (error) {
      this.#changed.add(part);
      throw error;
    }
  }

  async #loadPart(part: number, signal: AbortSignal): Promise<void> {
    const { book, records, keyOf } = this.#options;
    const record = await unlessAborted(records.get(keyOf(`${part}`)), signal);
    if (record === undefined) return;
    try {
      const copies = await decoded(record.bytes, this.#settings);
      if (!signal.aborted) for (const copy of copies) book.restore(copy);
    } catch (error) {
      this.#tell('read', 'broken', error);
    }
  }

  async #readHead(): Promise<number | undefined> {
    const { records, keyOf } = this.#options;
    const record = await records.get(keyOf(head));
    if (record === undefined) return undefined;
    try {
      const value: unknown = JSON.parse(Buffer.from(record.bytes).toString());
      const currentAt = field(value, 'currentAt');
      const isOurs = field(value, 'settings') === this.#settings && typeof currentAt === 'number';
      return isOurs && currentAt <= this.#now() ? currentAt : undefined;
    } catch (error) {
      this.#tell('read', 'broken', error);
      return undefined;
    }
  }

  async #writeHead(): Promise<void> {
    const { records, keyOf } = this.#options;
    const currentAt = this.#now();
    const text = JSON.stringify({ settings: this.#settings, currentAt });
    await records.put(keyOf(head), Buffer.from(text));
    this.#headWrittenAt = currentAt;
  }

  #tell(
    operation: 'read' | 'write',
    outcome: Parameters<StreamIndexEvents['streamsKept']>[0]['outcome'],
    error?: unknown,
  ): void {
    const { cluster, events } = this.#options;
    events.streamsKept({ cluster, operation, outcome, ...(error === undefined ? {} : { error }) });
  }
}

function partOf({ namespace, name }: Pick<StreamItem, 'namespace' | 'name'>): number {
  return createHash('sha256').update(`${namespace}/${name}`).digest().readUInt32BE() % parts;
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The versions of the streams of a record; none for a broken one, or one of other settings. */
async function versionsIn(bytes: Uint8Array, settings: string): Promise<readonly StreamItem[]> {
  return decoded(bytes, settings).catch(() => []);
}

function isSame(left: readonly StreamItem[], right: readonly StreamItem[]): boolean {
  const versions = new Set(left.map(versionText));
  return left.length === right.length && right.every((stream) => versions.has(versionText(stream)));
}

function versionText({ namespace, name, uid, version }: StreamItem): string {
  return `${namespace}/${name} ${uid} ${version}`;
}
