import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Argument, type CallExpression, type Expression, parseSync } from 'oxc-parser';

/** A source of the schema: what its constants are, and what stands above each. */
interface Source {
  readonly path: string;
  readonly constants: ReadonlyMap<string, Constant>;
  /** Of imported names: the file, by its path. */
  readonly imports: ReadonlyMap<string, string>;
  /** The comment that ends right before an offset. */
  commentBefore(offset: number): string | undefined;
}

interface Constant {
  readonly value: Expression;
  readonly comment: string | undefined;
}

/** Makers of objects, whose first argument holds the keys. */
const objects: ReadonlySet<string> = new Set(['section', 'closed', 'Type.Object']);

/**
 * The comment of each setting of a schema, by its path (`upstreams.<name>.url`, `rules.<name>[]`),
 * as the sources have it; undefined without one. `file`: where the constant `name` is.
 */
export function settingComments(file: string, name: string): ReadonlyMap<string, string | undefined> {
  const comments = new Map<string, string | undefined>();
  const sources = new Map<string, Source>();

  const sourceAt = (path: string): Source => {
    const source = sources.get(path) ?? parsed(path);
    sources.set(path, source);
    return source;
  };

  function resolved(source: Source, constant: string): readonly [Source, Constant] {
    const own = source.constants.get(constant);
    if (own !== undefined) return [source, own];
    const other = source.imports.get(constant);
    const found = other === undefined ? undefined : sourceAt(other).constants.get(constant);
    if (other === undefined || found === undefined) throw new Error(`${source.path} has no ${constant}`);
    return [sourceAt(other), found];
  }

  function walk(value: Expression, source: Source, path: string): void {
    if (value.type === 'Identifier') {
      const [there, constant] = resolved(source, value.name);
      walk(constant.value, there, path);
    } else if (value.type === 'CallExpression') {
      call(value, source, path);
    }
  }

  function call({ callee, arguments: given }: CallExpression, source: Source, path: string): void {
    const [first, second] = given;
    const called = calleeOf(callee);
    const maker = source.constants.get(called)?.value;
    if (objects.has(called) && first?.type === 'ObjectExpression') keys(first, source, path);
    else if (called === 'Type.Optional') inner(first, source, path);
    else if (called === 'Type.Array') inner(first, source, `${path}[]`);
    else if (called === 'Type.Record') inner(second, source, `${path}.<name>`);
    else if (maker?.type === 'ArrowFunctionExpression' && maker.body.type !== 'BlockStatement')
      walk(maker.body, source, path);
  }

  function inner(value: Argument | undefined, source: Source, path: string): void {
    if (value !== undefined && value.type !== 'SpreadElement') walk(value, source, path);
  }

  function keys(object: Expression & { type: 'ObjectExpression' }, source: Source, path: string): void {
    for (const property of object.properties) {
      if (property.type !== 'Property' || property.key.type !== 'Identifier') continue;
      const own = path === '' ? property.key.name : `${path}.${property.key.name}`;
      comments.set(own, source.commentBefore(property.start) ?? constantComment(property.value, source));
      walk(property.value, source, own);
    }
  }

  function constantComment(value: Expression, source: Source): string | undefined {
    const [only] = value.type === 'CallExpression' ? value.arguments : [value];
    return only?.type === 'Identifier' ? resolved(source, only.name)[1].comment : undefined;
  }

  const top = sourceAt(file);
  walk(resolved(top, name)[1].value, top, '');
  return comments;
}

function calleeOf(callee: Expression): string {
  if (callee.type === 'Identifier') return callee.name;
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return '';
  return callee.property.type === 'Identifier' ? `${callee.object.name}.${callee.property.name}` : '';
}

function parsed(path: string): Source {
  const text = readFileSync(path, 'utf8');
  const { program, comments } = parseSync(path, text);
  const commentBefore = (offset: number): string | undefined => {
    const above = comments.findLast(({ end }) => end <= offset);
    if (above === undefined || text.slice(above.end, offset).trim() !== '') return undefined;
    return above.value
      .replace(/^\s*\*+/gm, '')
      .replace(/\s+/g, ' ')
      .trim();
  };
  const constants = new Map<string, Constant>();
  const imports = new Map<string, string>();
  for (const statement of program.body) {
    if (statement.type === 'ImportDeclaration' && statement.source.value.startsWith('.'))
      for (const { local } of statement.specifiers)
        imports.set(local.name, join(dirname(path), statement.source.value));
    const isExport = statement.type === 'ExportNamedDeclaration';
    const declaration = isExport ? statement.declaration : statement;
    if (declaration?.type !== 'VariableDeclaration') continue;
    for (const { id, init } of declaration.declarations)
      if (id.type === 'Identifier' && init !== null)
        constants.set(id.name, { value: init, comment: commentBefore(statement.start) });
  }
  return { path, constants, imports, commentBefore };
}
