// Room `load/traces`: logs of registries as arrivals of a load. In: a file of any length, also
// gzipped. Out: requests in the order of their time, what was left out. Imports: base, oci, load.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { oneLine } from '../../base/text/one-line.ts';
import type { Arrival } from '../work.ts';
import { formatOf, readerOf, type TraceFormat, traceFormats } from './formats.ts';
import { ArrivalOrder, SecondSpread } from './order.ts';
import type { TraceRecord } from './records.ts';
import { type LeftOut, type LogRecord, replayed } from './request.ts';

/** What a trace held, so far as it is read. */
export interface TraceSummary {
  readonly format: TraceFormat;
  /** Lines, or objects of a list. */
  readonly records: number;
  /** Requests that the load makes. */
  readonly requests: number;
  /** Requests that it leaves out: writes, what is no pull, and 401, which begin logins. */
  readonly leftOut: Readonly<Record<LeftOut, number>>;
  /** Lines about other things. */
  readonly otherLines: number;
  /** Lines that cannot be read as this format, and the first of them. */
  readonly bad: number;
  readonly firstBad?: TraceRecord;
  /** Requests that came more than 10,000 lines too late to be put in order. */
  readonly late: number;
  /** From the first request to the last, milliseconds. */
  readonly spanMs: number;
}

/** A trace, opened. */
export interface Trace {
  readonly format: TraceFormat;
  /**
   * The requests, the first at 0 ms. Read once. Throws at the end when not one record could be
   * read, and when the file cannot be read further.
   */
  readonly arrivals: AsyncIterable<Arrival>;
  summary(): TraceSummary;
}

interface TraceOptions {
  /** Default: told by the first lines. */
  readonly format?: TraceFormat;
}

/** So much of the text is looked at for its format, bytes. */
const beginningBytes = 256 * 1024;
const shownLength = 120;

/**
 * Opens a trace. Memory does not depend on its length. Throws when the file cannot be read or its
 * first lines are of no known format.
 */
export async function openTrace(file: string, options: TraceOptions = {}): Promise<Trace> {
  const beginning = await beginningOf(file);
  const format = options.format ?? formatOf(beginning);
  if (format === undefined)
    throw new Error(
      `the first lines of ${file} are of no known format; name it with --trace-format, one of ${traceFormats.join(', ')}`,
    );
  const reading = new TraceReading(file, format, beginning);
  return { format, arrivals: reading.arrivals(), summary: () => reading.summary() };
}

/** One pass over a file. */
class TraceReading {
  readonly #file: string;
  readonly #format: TraceFormat;
  readonly #beginning: string;
  readonly #order = new ArrivalOrder();
  readonly #spread = new SecondSpread();
  readonly #leftOut: Record<LeftOut, number> = { write: 0, 'other path': 0, login: 0 };
  #records = 0;
  #requests = 0;
  #otherLines = 0;
  #bad = 0;
  #firstBad: TraceRecord | undefined;

  constructor(file: string, format: TraceFormat, beginning: string) {
    this.#file = file;
    this.#format = format;
    this.#beginning = beginning;
  }

  async *arrivals(): AsyncGenerator<Arrival, void, undefined> {
    const { splitter, read } = readerOf(this.#format, this.#beginning);
    for await (const text of textOfFile(this.#file)) {
      for (const record of splitter.push(text)) yield* this.#taken(record, read(record.text));
    }
    for (const record of splitter.end()) yield* this.#taken(record, read(record.text));
    for (const request of this.#spread.end()) yield* this.#order.push(request);
    yield* this.#order.end();
    if (this.#bad > 0 && this.#bad === this.#records) throw this.#allBad();
  }

  summary(): TraceSummary {
    return {
      format: this.#format,
      records: this.#records,
      requests: this.#requests,
      leftOut: { ...this.#leftOut },
      otherLines: this.#otherLines,
      bad: this.#bad,
      ...(this.#firstBad === undefined ? {} : { firstBad: this.#firstBad }),
      late: this.#order.late,
      spanMs: this.#order.spanMs,
    };
  }

  *#taken(record: TraceRecord, read: LogRecord): Generator<Arrival, void, undefined> {
    this.#records += 1;
    if (read === 'other line') this.#otherLines += 1;
    else if (read === 'bad') this.#countBad(record);
    else {
      const request = replayed(read);
      if (typeof request === 'string') this.#leftOut[request] += 1;
      else {
        this.#requests += 1;
        for (const due of this.#spread.push(request)) yield* this.#order.push(due);
      }
    }
  }

  #countBad({ number, text }: TraceRecord): void {
    this.#bad += 1;
    this.#firstBad ??= { number, text: oneLine(text, shownLength) };
  }

  #allBad(): Error {
    const { number, text } = this.#firstBad ?? { number: 0, text: '' };
    return new Error(
      `${this.#file}: not one of ${this.#bad} records can be read as ${this.#format}; record ${number}: ${text}`,
    );
  }
}

async function beginningOf(file: string): Promise<string> {
  let beginning = '';
  for await (const text of textOfFile(file)) {
    beginning += text;
    if (beginning.length >= beginningBytes) break;
  }
  return beginning.slice(0, beginningBytes);
}

/** The text of a file in pieces, unpacked when its first two bytes say gzip. */
async function* textOfFile(file: string): AsyncGenerator<string, void, undefined> {
  const raw = createReadStream(file, { highWaterMark: beginningBytes });
  // pipeline passes an error of the file on to the reader of the unpacked bytes.
  const bytes = (await isGzip(file))
    ? pipeline(raw, createGunzip({ chunkSize: beginningBytes }), () => {})
    : raw;
  const decoder = new TextDecoder();
  for await (const chunk of bytes) yield decoder.decode(chunk as Uint8Array, { stream: true });
  yield decoder.decode();
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}
