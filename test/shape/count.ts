import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Function as AnyFunction, type Statement, Visitor } from 'oxc-parser';
import { parseSource } from '../support/parse-source.ts';

/**
 * The size and shape of the TypeScript sources in one directory. Functions that fit on one line do
 * not count.
 */
export interface Shape {
  readonly files: number;
  readonly lines: number;
  /** Lines of a file. */
  readonly file: Spread;
  /** Lines of a function. */
  readonly fn: Spread;
  /** Lines that are comments, of all lines, in percent. */
  readonly comments: number;
  /** Exported names of a file, the mean. */
  readonly exports: number;
  /** Folders below the directory, the deepest. */
  readonly depth: number;
  /** Interfaces, type aliases and classes that a file exports. */
  readonly exportedTypes: number;
  /** Names of types that more than one file defines, with those files. */
  readonly sharedTypes: ReadonlyMap<string, readonly string[]>;
}

/** The median, the ninth decile and the largest. */
export interface Spread {
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

interface FileShape {
  readonly file: string;
  readonly lines: number;
  readonly commentLines: number;
  readonly functions: readonly number[];
  readonly exports: number;
  readonly types: readonly { readonly name: string; readonly isExported: boolean }[];
}

/** Counts the `.ts` files below the directory. */
export async function shapeOf(directory: string): Promise<Shape> {
  const names = (await readdir(directory, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const files = await Promise.all(
    names.map(async (file) => fileShape(file, await readFile(join(directory, file), 'utf8'))),
  );
  const sum = (of: (file: FileShape) => number): number => files.reduce((total, each) => total + of(each), 0);
  const lines = sum((file) => file.lines);
  return {
    files: files.length,
    lines,
    file: spread(files.map((file) => file.lines)),
    fn: spread(files.flatMap(({ functions }) => functions)),
    comments: (100 * sum(({ commentLines }) => commentLines)) / lines,
    exports: sum((file) => file.exports) / files.length,
    depth: Math.max(...names.map((file) => file.split('/').length - 1)),
    exportedTypes: sum(({ types }) => types.filter(({ isExported }) => isExported).length),
    sharedTypes: shared(files),
  };
}

function fileShape(file: string, text: string): FileShape {
  const { program, comments } = parseSource(file, text);
  const lineOf = lineFinder(text);
  const functions: number[] = [];
  const measure = ({ start, end }: { readonly start: number; readonly end: number }): void => {
    const length = lineOf(end) - lineOf(start) + 1;
    if (length > 1) functions.push(length);
  };
  new Visitor({
    FunctionDeclaration: (node: AnyFunction) => measure(node),
    FunctionExpression: (node: AnyFunction) => measure(node),
    ArrowFunctionExpression: measure,
  }).visit(program);
  return {
    file,
    lines: text.split('\n').length - 1,
    commentLines: comments.reduce((sum, { start, end }) => sum + lineOf(end) - lineOf(start) + 1, 0),
    functions,
    exports: program.body.reduce((sum, statement) => sum + exportsOf(statement), 0),
    types: program.body.flatMap(typesOf),
  };
}

function exportsOf(statement: Statement): number {
  if (statement.type !== 'ExportNamedDeclaration') return 0;
  const { declaration, specifiers } = statement;
  if (declaration?.type === 'VariableDeclaration') return declaration.declarations.length;
  return declaration === null ? specifiers.length : 1;
}

function typesOf(statement: Statement): readonly { readonly name: string; readonly isExported: boolean }[] {
  const isExported = statement.type === 'ExportNamedDeclaration';
  const declared = isExported ? statement.declaration : statement;
  switch (declared?.type) {
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      return [{ name: declared.id.name, isExported }];
    case 'ClassDeclaration':
      return declared.id === null ? [] : [{ name: declared.id.name, isExported }];
    default:
      return [];
  }
}

function shared(files: readonly FileShape[]): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  for (const { file, types } of files)
    for (const { name } of types) places.set(name, [...(places.get(name) ?? []), file]);
  return new Map([...places].filter(([, where]) => where.length > 1));
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [...text.matchAll(/^/gm)].map(({ index }) => index);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
  return { median: at(0.5), p90: at(0.9), max: at(1) };
}
