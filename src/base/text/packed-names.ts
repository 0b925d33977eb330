import { setImmediate } from 'node:timers/promises';

/**
 * Many names of `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}` in little memory: the JSON array of them, and
 * where each begins in it. None is there twice.
 */
export interface PackedNames {
  readonly json: Buffer;
  readonly starts: Uint32Array;
  /** Each is larger than the one before. */
  readonly isSorted: boolean;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const longestName = 128;
/** Before a list and behind it there is little; the list of another document is parsed. */
const mostBeside = 64 * 1024;
/** Bytes, or names, that are looked at before others have their turn: some milliseconds. */
const sliceBytes = 256 * 1024;
const sliceNames = 5_000;

/** 1 for what a name may begin with, 2 for what it may go on with, 0 for what it lacks. */
const kinds = new Uint8Array(256);
for (const text of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_')
  kinds[text.charCodeAt(0)] = 1;
for (const text of '.-') kinds[text.charCodeAt(0)] = 2;

/** Packs names one after another; a name is a piece of a document. */
class Packing {
  readonly #document: Uint8Array;
  readonly #json: Buffer;
  #starts = new Uint32Array(1_024);
  #count = 0;
  #end = 1;
  #last: readonly [start: number, end: number] = [0, 0];
  isSorted = true;

  constructor(document: Uint8Array) {
    this.#document = document;
    this.#json = Buffer.allocUnsafeSlow(document.byteLength + 2);
    this.#json[0] = openBracket;
  }

  /** The name between its quotes, at these places of the document. */
  add(start: number, end: number): void {
    if (this.#count === this.#starts.length) {
      const larger = new Uint32Array(2 * this.#count);
      larger.set(this.#starts);
      this.#starts = larger;
    }
    if (this.#count > 0) {
      this.isSorted = this.isSorted && this.#isAfterLast(start, end);
      this.#json[this.#end++] = comma;
    }
    this.#starts[this.#count++] = this.#end + 1;
    for (let at = start - 1; at <= end; at += 1) this.#json[this.#end++] = this.#document[at] ?? quote;
    this.#last = [start, end];
  }

  packed(): PackedNames {
    this.#json[this.#end] = closeBracket;
    // Lists are kept while they are fresh: without the rest of the size of the document.
    const json = Buffer.copyBytesFrom(this.#json, 0, this.#end + 1);
    return { json, starts: this.#starts.slice(0, this.#count), isSorted: this.isSorted };
  }

  #isAfterLast(start: number, end: number): boolean {
    const [lastStart, lastEnd] = this.#last;
    const length = Math.min(end - start, lastEnd - lastStart);
    for (let at = 0; at < length; at += 1) {
      const difference = (this.#document[start + at] ?? 0) - (this.#document[lastStart + at] ?? 0);
      if (difference !== 0) return difference > 0;
    }
    return end - start > lastEnd - lastStart;
  }
}

/** The names, each once, in their order. */
export function packedNames(names: Iterable<string>): PackedNames {
  const listed = [...new Set(names)];
  const json = Buffer.from(listed.length === 0 ? '[]' : `["${listed.join('","')}"]`, 'latin1');
  const starts = new Uint32Array(listed.length);
  let next = '["'.length;
  let isSorted = true;
  for (const [index, name] of listed.entries()) {
    starts[index] = next;
    next += name.length + '","'.length;
    isSorted = isSorted && (index === 0 || name > (listed[index - 1] ?? ''));
  }
  return { json, starts, isSorted };
}

/** The names of a packed list. */
export function unpacked({ json, starts }: PackedNames): readonly string[] {
  return starts.length === 0 ? [] : json.toString('latin1', 2, json.byteLength - 2).split('","');
}

interface FoundNames {
  readonly names: PackedNames;
  /** The document, where a text stands for the list: to be parsed, and to be compared with it. */
  readonly rest: Uint8Array;
  readonly mark: string;
}

/**
 * The names in the first list of a JSON document that is called so, without what is no name;
 * undefined for a document of another form, which `JSON.parse` must read. It takes its time in
 * slices, so that a list of a million names delays no request, and little memory. Whether the list
 * is the field that was meant, the rest tells: there the mark must be its value.
 */
export async function namesInField(document: Uint8Array, field: string): Promise<FoundNames | undefined> {
  const bytes = bufferOf(document);
  const start = listStart(bytes, field);
  const found = start === undefined ? undefined : await packedFrom(bytes, start);
  if (start === undefined || found === undefined || bytes.byteLength - found.end > mostBeside)
    return undefined;
  const { names, end } = found;
  const mark = `list-${Math.random()}`;
  return {
    names,
    rest: Buffer.concat([bytes.subarray(0, start), Buffer.from(`"${mark}"`), bytes.subarray(end)]),
    mark,
  };
}

/**
 * The names in a JSON document that is a list, without what is no name; undefined for a document of
 * another form. It takes its time in slices, as `namesInField`.
 */
export async function namesInList(document: Uint8Array): Promise<PackedNames | undefined> {
  const bytes = bufferOf(document);
  const start = afterBlanks(bytes, 0);
  const found = bytes[start] === openBracket ? await packedFrom(bytes, start) : undefined;
  return found && afterBlanks(bytes, found.end) === bytes.byteLength ? found.names : undefined;
}

/** The same bytes. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The names of the list whose bracket is there, and where the list is over. */
async function packedFrom(
  bytes: Buffer,
  start: number,
): Promise<{ readonly names: PackedNames; readonly end: number } | undefined> {
  const packing = new Packing(bytes);
  const end = await listEnd(bytes, start, packing);
  if (end === undefined) return undefined;
  const packed = packing.packed();
  return { names: packed.isSorted ? packed : await withoutTwins(packed), end };
}

/** Where the bracket of the list is. */
function listStart(bytes: Buffer, field: string): number | undefined {
  const found = bytes.subarray(0, mostBeside).indexOf(`"${field}"`);
  if (found < 0) return undefined;
  const after = afterBlanks(bytes, found + field.length + 2);
  if (bytes[after] !== colon) return undefined;
  const start = afterBlanks(bytes, after + 1);
  return bytes[start] === openBracket ? start : undefined;
}

/** Where the list is over; undefined if it has anything but strings without escapes. */
async function listEnd(bytes: Buffer, start: number, packing: Packing): Promise<number | undefined> {
  let next = start + sliceBytes;
  let at = afterBlanks(bytes, start + 1);
  if (bytes[at] === closeBracket) return at + 1;
  for (;;) {
    const end = bytes[at] === quote ? stringEnd(bytes, at + 1) : undefined;
    if (end === undefined) return undefined;
    if (isName(bytes, at + 1, end)) packing.add(at + 1, end);
    at = afterBlanks(bytes, end + 1);
    if (bytes[at] === closeBracket) return at + 1;
    if (bytes[at] !== comma) return undefined;
    at = afterBlanks(bytes, at + 1);
    if (at < next) continue;
    next = at + sliceBytes;
    await setImmediate();
  }
}

function afterBlanks(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1;
  return at;
}

/** Where the closing quote is; undefined for text with escapes, and for what is not ASCII. */
function stringEnd(bytes: Buffer, start: number): number | undefined {
  for (let at = start; ; at += 1) {
    const byte = bytes[at];
    if (byte === quote) return at;
    if (byte === undefined || byte === backslash || byte < 0x20 || byte > 0x7e) return undefined;
  }
}

function isName(bytes: Buffer, start: number, end: number): boolean {
  if (end === start || end - start > longestName || kinds[bytes[start] ?? 0] !== 1) return false;
  for (let at = start + 1; at < end; at += 1) if (kinds[bytes[at] ?? 0] === 0) return false;
  return true;
}

/** The same; of a name that is there twice the first. */
async function withoutTwins(packed: PackedNames): Promise<PackedNames> {
  const { json, starts } = packed;
  const seen = new Set<string>();
  const packing = new Packing(json);
  for (let index = 0; index < starts.length; index += 1) {
    const start = starts[index] ?? 0;
    const end = (starts[index + 1] ?? json.byteLength + 1) - '","'.length;
    const name = json.toString('latin1', start, end);
    if (!seen.has(name)) packing.add(start, end);
    seen.add(name);
    if (index % sliceNames === sliceNames - 1) await setImmediate();
  }
  return seen.size === starts.length ? packed : packing.packed();
}

/** Sorted lists that follow one another as one; undefined where they do not. */
export function joinedNames(lists: readonly PackedNames[]): PackedNames | undefined {
  const all = lists.filter(({ starts }) => starts.length > 0);
  const isInOrder = all.every(
    (list, index) => list.isSorted && (index === 0 || nameAt(list, 0) > lastOf(all[index - 1])),
  );
  if (!isInOrder || all.length === 0) return undefined;
  const starts = new Uint32Array(all.reduce((sum, list) => sum + list.starts.length, 0));
  const pieces: Buffer[] = [Buffer.from('[')];
  let count = 0;
  let end = 1;
  for (const list of all) {
    if (count > 0) {
      pieces.push(Buffer.from(','));
      end += 1;
    }
    for (const start of list.starts) starts[count++] = end + start - 1;
    pieces.push(list.json.subarray(1, -1));
    end += list.json.byteLength - 2;
  }
  return { json: Buffer.concat([...pieces, Buffer.from(']')]), starts, isSorted: true };
}

function lastOf(list: PackedNames | undefined): string {
  return list === undefined ? '' : nameAt(list, list.starts.length - 1);
}

/** One of the names. */
export function nameAt({ json, starts }: PackedNames, index: number): string {
  const end = (starts[index + 1] ?? json.byteLength + 1) - '","'.length;
  return json.toString('latin1', starts[index] ?? json.byteLength + 1, end);
}
