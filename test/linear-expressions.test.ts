import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Visitor } from 'oxc-parser';
import { test } from 'tap';
import { parseSource } from './support/parse-source.ts';

const source = new URL('../src/', import.meta.url).pathname;
/**
 * A line for each expression of `src`, as it stands there, that was shown to take time linear in
 * its text.
 */
const ledger = new URL('linear-expressions.txt', import.meta.url).pathname;

/** An expression that stands in `src`. */
interface Found {
  /** `file:line` */
  readonly at: string;
  /** `/pattern/flags` */
  readonly text: string;
  readonly pattern: string;
  readonly flags: string;
}

async function parsedSources() {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(source, file), 'utf8');
      return { file, text, program: parseSource(file, text).program };
    }),
  );
}

/** The literals, and where expressions are put together while the program runs. */
async function expressions(): Promise<{
  readonly literals: readonly Found[];
  readonly made: readonly string[];
}> {
  const literals: Found[] = [];
  const made: string[] = [];
  for (const { file, text, program } of await parsedSources()) {
    const at = (start: number): string => `${file}:${text.slice(0, start).split('\n').length}`;
    const makes = (callee: { readonly type: string }, start: number): void => {
      if (callee.type === 'Identifier' && 'name' in callee && callee.name === 'RegExp') made.push(at(start));
    };
    new Visitor({
      Literal(node) {
        if (!('regex' in node)) return;
        const { pattern, flags } = node.regex;
        literals.push({ at: at(node.start), text: `/${pattern}/${flags}`, pattern, flags });
      },
      NewExpression: ({ callee, start }) => makes(callee, start),
      CallExpression: ({ callee, start }) => makes(callee, start),
    }).visit(program);
  }
  return { literals, made };
}

/** What the checker says of an expression that is not in the ledger yet. */
async function verdict({ pattern, flags }: Found): Promise<string> {
  const { checkSync } = await import('recheck');
  const found = checkSync(pattern, flags, { timeout: 10_000 });
  if (found.status === 'safe') return 'is linear: add it to test/linear-expressions.txt';
  if (found.status === 'unknown') return `cannot be judged (${found.error.kind}): write it in a simpler way`;
  return `is not linear (${found.complexity.summary}), as for ${found.attack.pattern}: write it in another way`;
}

async function proven(): Promise<ReadonlySet<string>> {
  return new Set((await readFile(ledger, 'utf8')).split('\n').filter((line) => line !== ''));
}

test('every expression over outside text takes linear time', { timeout: 120_000 }, async (t) => {
  const { literals } = await expressions();
  const known = await proven();
  t.ok(literals.length > 100, 'the sources were read');
  for (const found of literals) {
    if (!known.has(found.text)) t.fail(`${found.at}: ${found.text} ${await verdict(found)}`);
  }
  const present = new Set(literals.map(({ text }) => text));
  t.same(
    [...known].filter((text) => !present.has(text)),
    [],
    'the list names nothing else',
  );
});

test('no expression is put together while the program runs, but those of RE2', async (t) => {
  const { made } = await expressions();
  t.same(made, []);
});
