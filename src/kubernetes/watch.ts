import { isObject, isText, parseJson } from '../base/text/json.ts';
import type { KubernetesClient } from './client.ts';
import { ApiFailure } from './failure.ts';

interface WatchOptions<Item> {
  /** Of the collection, with the leading slash. */
  readonly path: string;
  /** The `resourceVersion` to go on from. */
  readonly version: string;
  /** Called for `ADDED`, `MODIFIED`, `DELETED`, and `BOOKMARK`, whose object has only a version. */
  readonly seen: (type: string, object: Item) => void;
  /** Called when the server has accepted the watch. */
  readonly opened?: () => void;
  readonly signal: AbortSignal;
}

/** `gone`: the version expired; list again. `idle`: silence, continue. `closed`: the end. */
export type WatchEnd = 'gone' | 'idle' | 'closed';

interface WatchEvent<Item> {
  readonly type: string;
  readonly object: Item;
}

/** The longest silence before the watch is begun again, in milliseconds. */
const idleMs = 30_000;
const lineEnd = 0x0a;
/** The longest event, in bytes: an object of etcd has at most 1.5 MiB, more in JSON. */
const longestLine = 16 * 1024 * 1024;

/** Watches until it ends, for one of the usual reasons; all else throws `ApiFailure`. */
export async function watched<Item>(
  client: Pick<KubernetesClient, 'stream'>,
  { path, version, seen, opened, signal }: WatchOptions<Item>,
): Promise<WatchEnd> {
  let isOpen = false;
  const begun = (): void => {
    isOpen = true;
    opened?.();
  };
  const query = new URLSearchParams({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: version });
  try {
    for await (const line of linesOf(
      client.stream({ path: `${path}?${query}`, idleMs, signal, opened: begun }),
    )) {
      if (signal.aborted) return 'closed';
      const event = eventOf<Item>(line);
      if (event?.type === 'ERROR') return 'gone';
      if (event !== undefined) seen(event.type, event.object);
    }
    return 'closed';
  } catch (error) {
    if (signal.aborted) return 'closed';
    if (error instanceof ApiFailure && error.status === 410) return 'gone';
    // A server that does not even accept the watch is not idle: it does not answer.
    if (isOpen && error instanceof ApiFailure && error.kind === 'slow') return 'idle';
    throw error;
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  const rest = new LinePieces();
  for await (const chunk of body) {
    let from = 0;
    for (let end = chunk.indexOf(lineEnd); end >= 0; end = chunk.indexOf(lineEnd, from)) {
      rest.add(chunk.subarray(from, end));
      yield rest.take();
      from = end + 1;
    }
    rest.add(chunk.subarray(from));
  }
  yield rest.take();
}

/** What came of a line, joined once: each chunk is looked at once, however long the line is. */
class LinePieces {
  #pieces: Uint8Array[] = [];
  #length = 0;

  add(bytes: Uint8Array): void {
    this.#length += bytes.byteLength;
    if (this.#length > longestLine) throw new ApiFailure('invalid', 'sent an event that is too long');
    if (bytes.byteLength > 0) this.#pieces.push(bytes);
  }

  take(): Buffer {
    const line = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    return line;
  }
}

/** Undefined for a line that is no event: what it said is found by the next list. */
function eventOf<Item>(line: Buffer): WatchEvent<Item> | undefined {
  try {
    const event = parseJson(line) as WatchEvent<Item>;
    return isObject(event) && isText(event.type) && isObject(event.object) ? event : undefined;
  } catch {
    return undefined;
  }
}
