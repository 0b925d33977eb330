import { gunzipSync } from 'node:zlib';
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';

/** Keys, and positions in lists. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with a file. */
export interface FileFault {
  /** From 1; absent where it is about the whole file. */
  readonly line?: number;
  readonly message: string;
}

/** A file that must not be used, with everything that is wrong with it, a line each. */
export class MirrorConfigError extends Error {
  override readonly name = 'MirrorConfigError';
  readonly faults: readonly FileFault[];

  constructor(faults: readonly FileFault[]) {
    super(
      faults
        .map(({ line, message }) => (line === undefined ? message : `line ${line}: ${message}`))
        .join('\n'),
    );
    this.faults = faults;
  }
}

/** More than this is no configuration, unpacked or not: bytes. */
const longestFile = 16 * 1024 * 1024;

/** A file's content, with where it stands. */
interface LocatedYaml {
  readonly data: unknown;
  /** Of a key, or of an item of a list. */
  lineOf(path: Path): number | undefined;
}

/** Reads a file, packed by gzip or not. Throws `MirrorConfigError`. */
export function parseLocatedYaml(file: Uint8Array): LocatedYaml {
  const lines = new LineCounter();
  const document = parseDocument(textOf(file), { lineCounter: lines, prettyErrors: false });
  const faults = document.errors.map(({ pos: [at], message }) => ({ line: lines.linePos(at).line, message }));
  if (faults.length > 0) throw new MirrorConfigError(faults);
  return {
    data: plain(document),
    lineOf(path) {
      const offset = offsetOf(document, path);
      return offset === undefined ? undefined : lines.linePos(offset).line;
    },
  };
}

/** Aliases that blow up when they are followed are found only here. */
function plain(document: Document): unknown {
  try {
    return document.toJS() ?? {};
  } catch (error) {
    throw new MirrorConfigError([{ message: error instanceof Error ? error.message : String(error) }]);
  }
}

/** Where the last step of the path stands that the file spells out. */
function offsetOf(document: Document, path: Path): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    const found = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
      : undefined;
    const item: unknown = isSeq(node) ? node.items[Number(step)] : undefined;
    const place: unknown = found?.key ?? item;
    if (!isNode(place)) return offset;
    offset = place.range?.[0] ?? offset;
    node = found?.value ?? item;
  }
  return offset;
}

function textOf(file: Uint8Array): string {
  const isPacked = file[0] === 0x1f && file[1] === 0x8b;
  try {
    const bytes = isPacked ? gunzipSync(file, { maxOutputLength: longestFile }) : file;
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new MirrorConfigError([{ message: 'the file is neither text nor packed by gzip' }]);
  }
}
