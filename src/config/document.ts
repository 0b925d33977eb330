import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  stringify,
} from 'yaml';
import { type ConfigRefusal, type Fault, type FaultPath, pathText } from './faults.ts';

/** A YAML text, read, with the way back from each setting to its line. */
export interface ConfigDocument {
  /** The settings as plain data; an empty text is an empty map. */
  readonly value: unknown;
  /** What is wrong with the YAML itself. */
  readonly faults: readonly Fault[];
  /** The line of the setting, or of the nearest one around it that the text holds. */
  lineOf(path: FaultPath): number | undefined;
}

/** Reads YAML 1.2. Faults: what the parser refuses, keys given twice, keys without a value. */
export function parseConfigDocument(text: string): ConfigDocument {
  const lineCounter = new LineCounter();
  // The walk below finds duplicate keys: unlike the parser it knows their path.
  const document = parseDocument(text, { lineCounter, uniqueKeys: false });
  const lines = new Map<string, number>();
  const faults: Fault[] = document.errors.map((error) => ({
    path: '',
    line: lineCounter.linePos(error.pos[0]).line,
    message: firstLine(error.message),
  }));
  walk(document.contents, [], {
    lineAt: (node) => (node.range ? lineCounter.linePos(node.range[0]).line : undefined),
    found: (path, line) => lines.set(pathText(path), line),
    refused: (path, line, message) => faults.push({ path: pathText(path), line, message }),
  });
  return { ...plain(document, faults), lineOf: (path) => nearestLine(lines, path) };
}

/** The settings as a file would hold them. */
export function configText(settings: unknown): string {
  return stringify(settings);
}

/** The document as data. Aliases that blow up when they are followed are found only here. */
function plain(document: Document, faults: readonly Fault[]): Pick<ConfigDocument, 'value' | 'faults'> {
  if (faults.length > 0) return { value: {}, faults };
  try {
    return { value: document.toJS() ?? {}, faults };
  } catch (error) {
    return {
      value: {},
      faults: [{ path: '', message: error instanceof Error ? error.message : String(error) }],
    };
  }
}

/** The refusals with the lines of the settings they are about. */
export function located(refusals: readonly ConfigRefusal[], document: ConfigDocument): Fault[] {
  return refusals.map(({ path, message }) => {
    const line = document.lineOf(path);
    return { path: pathText(path), message, ...(line === undefined ? {} : { line }) };
  });
}

interface Visitor {
  lineAt(node: Node): number | undefined;
  found(path: FaultPath, line: number): void;
  refused(path: FaultPath, line: number, message: string): void;
}

function walk(node: unknown, path: FaultPath, visitor: Visitor): void {
  if (isMap(node)) {
    const seen = new Set<string>();
    for (const pair of node.items) walkPair(pair, path, seen, visitor);
  } else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) walkItem(item, [...path, index], visitor);
  }
}

function walkPair({ key, value }: Pair, path: FaultPath, seen: Set<string>, visitor: Visitor): void {
  if (!isScalar(key)) return;
  const name = String(key.value);
  const inner = [...path, name];
  const line = visitor.lineAt(key) ?? 1;
  visitor.found(inner, line);
  if (seen.has(name)) visitor.refused(inner, line, 'is given twice');
  seen.add(name);
  if (value === null || (isScalar(value) && value.value === null)) {
    visitor.refused(inner, line, 'has no value: give it one ({} for an empty section), or remove the key');
  }
  walk(value, inner, visitor);
}

function walkItem(item: unknown, path: FaultPath, visitor: Visitor): void {
  const line =
    isMap(item) || isScalar(item) || isSeq(item) || isAlias(item) ? visitor.lineAt(item) : undefined;
  if (line !== undefined) visitor.found(path, line);
  walk(item, path, visitor);
}

function nearestLine(lines: ReadonlyMap<string, number>, path: FaultPath): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const line = lines.get(pathText(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return undefined;
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}
