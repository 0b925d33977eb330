import { listOf } from '../base/text/json.ts';
import { anySignal, fairTimer } from '../base/time/wait.ts';
import type { KubernetesClient } from './client.ts';
import { ApiFailure } from './failure.ts';

interface ItemListOptions {
  readonly path: string;
  /** Limit of the whole answer, milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Of a list: what is beside its items. */
interface ListMetadata {
  readonly resourceVersion?: string;
  /** Names the next page; empty for the last. */
  readonly continue?: string;
}

interface ListRest {
  readonly metadata?: ListMetadata;
  readonly items?: unknown;
}

/**
 * The items of one page of a list, each as soon as it is there, and at the end the metadata of the
 * list. Only one item is held at a time: a page of image streams may have 100 MB. Throws
 * `ApiFailure`, or the signal's reason.
 */
export async function* listItems<Item>(
  client: Pick<KubernetesClient, 'stream'>,
  { path, timeoutMs, signal: own }: ItemListOptions,
): AsyncGenerator<Item, ListMetadata> {
  const late = new AbortController();
  using _timer = fairTimer(() => late.abort(), timeoutMs);
  const splitter = new ItemSplitter();
  try {
    const signal = anySignal(own, late.signal);
    for await (const chunk of client.stream({ path, idleMs: timeoutMs, signal }))
      for (const item of splitter.push(chunk)) yield parsedItem<Item>(item);
  } catch (error) {
    own?.throwIfAborted();
    if (late.signal.aborted) throw new ApiFailure('slow', `did not answer within ${timeoutMs} ms`);
    throw error;
  }
  const { metadata, items } = parsedItem<ListRest>(splitter.rest());
  // What is left in it is no object.
  if (listOf(items).length > 0) throw invalid('answered with a list of something else');
  return metadata ?? {};
}

function parsedItem<Value>(bytes: Buffer): Value {
  try {
    const value: Value = JSON.parse(bytes.toString());
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The parser's message quotes the text: it goes no further.
  }
  throw invalid('answered with something that is not JSON');
}

/** The longest item, in bytes: an object of etcd has at most 1.5 MiB, more in JSON. */
const longestItem = 16 * 1024 * 1024;
/** The longest text beside the items, in bytes. */
const longestRest = 1024 * 1024;
/** Image streams nest less; the parser needs seconds for a million levels. */
const deepest = 100;
const itemsKey = '"items"';

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;

/**
 * Cuts the JSON of a list into its items and the rest, in which `items` is an empty list. Looks at
 * brackets and strings only; the parser of each piece finds what else is wrong.
 */
class ItemSplitter {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isInItems = false;
  /** The latest string right in the list object, with its quotes; cut where it is too long. */
  #key = '';
  readonly #item = new Pieces(longestItem);
  readonly #rest = new Pieces(longestRest);

  *push(chunk: Uint8Array): Generator<Buffer> {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (this.#isInString || byte === quote) this.#text(byte);
      if (this.#isInString || byte === quote) continue;
      const isBetween = this.#isInItems && this.#depth === 2;
      if (isBetween && byte === comma) {
        this.#rest.add(chunk.subarray(from, at));
        from = at + 1;
      } else if (byte === 0x7b || byte === 0x5b) {
        if (isBetween) {
          this.#rest.add(chunk.subarray(from, at));
          from = at;
        }
        this.#deeper(byte);
      } else if (byte === 0x7d || byte === 0x5d) {
        this.#depth -= 1;
        if (this.#isInItems && this.#depth === 2) {
          this.#item.add(chunk.subarray(from, at + 1));
          from = at + 1;
          yield this.#item.take();
        } else if (this.#depth === 1) this.#isInItems = false;
      }
    }
    const isInItem = this.#isInItems && this.#depth > 2;
    (isInItem ? this.#item : this.#rest).add(chunk.subarray(from));
  }

  rest(): Buffer {
    return this.#rest.take();
  }

  /** Follows strings, and the keys of the list object. */
  #text(byte: number): void {
    const wasInString = this.#isInString;
    if (!wasInString) this.#isInString = byte === quote;
    else if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === backslash) this.#isEscaped = true;
    else if (byte === quote) this.#isInString = false;
    if (this.#depth !== 1) return;
    if (!wasInString && this.#isInString) this.#key = '"';
    else if (wasInString && this.#key.length <= itemsKey.length) this.#key += String.fromCharCode(byte);
  }

  #deeper(byte: number): void {
    if (this.#depth === 1 && byte === 0x5b) this.#isInItems = this.#key === itemsKey;
    this.#depth += 1;
    if (this.#depth > deepest) throw invalid(`answered with JSON of more than ${deepest} levels`);
  }
}

/** Bytes that come in pieces, up to a limit. */
class Pieces {
  #pieces: Uint8Array[] = [];
  #length = 0;
  readonly #longest: number;

  constructor(longest: number) {
    this.#longest = longest;
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    if (this.#length > this.#longest) throw invalid('answered with a list that has too long a part');
    this.#pieces.push(bytes);
  }

  take(): Buffer {
    const [only, ...others] = this.#pieces;
    const all =
      only !== undefined && others.length === 0
        ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
        : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    return all;
  }
}

function invalid(message: string): ApiFailure {
  return new ApiFailure('invalid', message);
}
