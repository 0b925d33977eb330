import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Visitor } from 'oxc-parser';
import { test } from 'tap';
import { parseSource } from './support/parse-source.ts';

const root = join(import.meta.dirname, '..');
const widest = 100;

/**
 * Words that hide who acts, or when. The field has a word for each: client, subject, "after 5 s".
 */
const vague = /\b(?:nobody|whoever|somebody|anybody|lately|for long|a moment|as far as)\b/i;
/** What no machine does. It closes, resumes, shares, logs, receives and observes. */
const human = /\b(?:lends?|lent|wakes?|woken|hears|heard|lands|landed)\b/i;

/** Text that may say so, each with its reason. */
const allowed: readonly RegExp[] = [
  // Names of files, identifiers and users.
  /lent-socket\.ts|0022-misses-are-lent\.md|sha256~nobody|`heard`/g,
  // Where the rules are written down, they quote the words.
  /"(?:nobody|whoever|lately)"|do not rest, wake, lend or hear|machines that rest and\s+wake/g,
];

/** One piece of text, and where it stands. */
interface Piece {
  readonly at: string;
  readonly text: string;
}

async function filesBelow(folder: string, ending: RegExp): Promise<string[]> {
  const names = await readdir(join(root, folder), { recursive: true });
  return names.filter((name) => ending.test(name)).map((name) => `${folder}/${name}`);
}

const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

/** Says where an offset of the text is, as `path:line`. */
function places(path: string, text: string): (offset: number) => string {
  const ends = [...text.matchAll(/\n/g)].map(({ index }) => index);
  return (offset) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return `${path}:${low + 1}`;
  };
}

interface Source {
  readonly path: string;
  readonly text: string;
  readonly comments: readonly Piece[];
  /** Literals with a blank in them: messages, help, names of tests. */
  readonly literals: readonly Piece[];
  /** First arguments of `test(…)`, `t.test(…)` and `fact(…)`. */
  readonly titles: readonly Piece[];
}

const parsedFolders = new Map<string, Promise<Source[]>>();

/** Each folder is read once. */
function sources(folder: string): Promise<Source[]> {
  const known = parsedFolders.get(folder) ?? sourcesIn(folder);
  parsedFolders.set(folder, known);
  return known;
}

async function sourcesIn(folder: string): Promise<Source[]> {
  const paths = await filesBelow(folder, /\.ts$/);
  return Promise.all(paths.map(async (path) => parsed(path, await read(path))));
}

function parsed(path: string, text: string): Source {
  const { program, comments } = parseSource(path, text);
  const literals: Piece[] = [];
  const titles: Piece[] = [];
  const at = places(path, text);
  new Visitor({
    Literal({ value, start }) {
      if (typeof value === 'string' && value.includes(' ')) literals.push({ at: at(start), text: value });
    },
    TemplateElement({ value, start }) {
      literals.push({ at: at(start), text: value.cooked ?? '' });
    },
    CallExpression({ callee, arguments: [first], start }) {
      const called = text.slice(callee.start, callee.end);
      if (first === undefined || !/^(?:\w+\.)?(?:test|fact)$/.test(called)) return;
      titles.push({ at: at(start), text: text.slice(first.start, first.end) });
    },
  }).visit(program);
  return {
    path,
    text,
    comments: comments.map(({ start, value }) => ({ at: at(start), text: value })),
    literals,
    titles,
  };
}

/** The prose of a Markdown document: no code, no tables, no headings. By line, from 1. */
function prose(markdown: string): readonly (readonly [line: number, text: string])[] {
  let isCode = false;
  return markdown.split('\n').flatMap((text, index): [number, string][] => {
    if (/^\s*```/.test(text)) isCode = !isCode;
    const isOther = isCode || /^\s*(?:```|\||#|!\[|<)/.test(text);
    return isOther ? [] : [[index + 1, text]];
  });
}

async function documents(): Promise<readonly Piece[]> {
  const paths = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'test/README.md'];
  for (const folder of ['docs', 'deploy', 'changelog']) paths.push(...(await filesBelow(folder, /\.md$/)));
  return Promise.all(paths.map(async (path) => ({ at: path, text: await read(path) })));
}

/** The samples of settings and manifests, whose comments an operator reads. */
async function samples(): Promise<readonly Piece[]> {
  const paths = await filesBelow('deploy', /\.(?:ya?ml|toml|conf)$|Containerfile$/);
  return Promise.all(paths.map(async (path) => ({ at: path, text: await read(path) })));
}

/** Where a text has one of the words, once all that may have them is taken out. */
function found(pieces: readonly Piece[]): readonly string[] {
  return pieces.flatMap(({ at, text }) => {
    const rest = allowed.reduce((left, pattern) => left.replaceAll(pattern, ''), text).replace(/\s+/g, ' ');
    const word = vague.exec(rest)?.[0] ?? human.exec(rest)?.[0];
    return word === undefined ? [] : [`${at}: ${word}`];
  });
}

test('comments and messages of the sources say who acts and when', async (t) => {
  const read = await sources('src');
  t.same(found(read.flatMap(({ comments, literals }) => [...comments, ...literals])), []);
});

test('documents and samples say who acts and when', async (t) => {
  t.same(found([...(await documents()), ...(await samples())]), []);
});

test('names and comments of tests say who acts and when', async (t) => {
  const read = [...(await sources('test')), ...(await sources('bench'))];
  const own = read.filter(({ path }) => path !== 'test/language.test.ts');
  t.same(found(own.flatMap(({ comments, titles }) => [...comments, ...titles])), []);
});

test(`lines of comments end within ${widest} columns`, async (t) => {
  const read = [...(await sources('src')), ...(await sources('test')), ...(await sources('bench'))];
  const wide = read.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const isComment = /^\s*(?:\/\*\*|\*|\/\/)/.test(line);
      return isComment && line.length > widest ? [`${path}:${index + 1}`] : [];
    }),
  );
  t.same(wide, []);
});

test(`lines of prose end within ${widest} columns`, async (t) => {
  const wide = (await documents()).flatMap(({ at, text }) =>
    prose(text).flatMap(([line, words]) => {
      const isLink = !/\S\s+\S/.test(words.replace(/^[\s\-*\d.]+/, ''));
      return words.length > widest && !isLink ? [`${at}:${line}`] : [];
    }),
  );
  const notes = (await samples()).flatMap(({ at, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => (/^\s*#/.test(line) && line.length > widest ? [`${at}:${index + 1}`] : [])),
  );
  t.same([...wide, ...notes], []);
});
