import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { commands } from '../src/cli/commands/commands.ts';
import { run } from '../src/cli/commands/run.ts';
import type { Io } from '../src/cli/flags/io.ts';
import { fencesOf } from './support/fences.ts';

const root = join(import.meta.dirname, '..');

/** Each shell block of the documents, and where it is. */
async function shellBlocks() {
  const paths = await Array.fromAsync(glob(['*.md', 'docs/**/*.md', 'deploy/**/*.md'], { cwd: root }));
  const blocks = await Promise.all(
    paths.map(async (path) =>
      fencesOf(await readFile(join(root, path), 'utf8'))
        .filter(({ language }) => /^(?:sh|bash|shell|console)$/.test(language))
        .map((fence) => ({ ...fence, at: `${path}:${fence.line}` })),
    ),
  );
  return blocks.flat();
}

/** What may stand behind `sh`. */
const marks: ReadonlySet<string> = new Set(['run', 'run server', 'run cluster', 'example']);

test('every shell block says whether e2e runs it: ```sh run, ```sh example', async (t) => {
  const blocks = await shellBlocks();
  t.ok(blocks.length > 100);
  t.same(
    blocks
      .filter((block) => block.language !== 'sh' || !marks.has(block.marks.join(' ')))
      .map(({ at }) => at),
    [],
    'see test/support/fences.ts',
  );
});

/** A command of ours at the begin of a command, and its words up to the next program. */
const ours = /(?:^|[|&(] ?|npx |sudo |quayside\/bin\/)quayside(?:\.js)? ([^|>#\n]*)/gm;

test('every command of ours in a document exists, and takes the options that it shows', async (t) => {
  const helps = new Map<string, Promise<string>>();
  const helpOf = (name: string): Promise<string> => {
    const help = helps.get(name) ?? helpText(name);
    helps.set(name, help);
    return help;
  };
  for (const { text, at } of await shellBlocks()) {
    for (const [, words = ''] of text.replaceAll('\\\n', ' ').matchAll(ours)) {
      const name = commands.map((command) => command.name).find((each) => `${words} `.startsWith(`${each} `));
      if (words.trim() === '' || words.startsWith('-')) continue;
      t.ok(name, `${at}: quayside ${words}`);
      if (name === undefined) continue;
      // What it shares with the command that it belongs to is in the help of that one.
      const all = commands.filter((each) => name === each.name || name.startsWith(`${each.name} `));
      const help = (await Promise.all(all.map((each) => helpOf(each.name)))).join('\n');
      for (const [, option = ''] of words.matchAll(/(?<=\s)(--[a-z][\w.-]*)/gi))
        t.ok(option === '--help' || help.includes(option), `${at}: quayside ${name} ${option}`);
    }
  }
});

async function helpText(name: string): Promise<string> {
  let said = '';
  const output = { write: (text: string) => (said += text) };
  const io: Io = {
    stdout: output,
    stderr: output,
    input: async () => '',
    env: {},
    signal: new AbortController().signal,
    onHangup: () => () => {},
  };
  await run([...name.split(' '), '--help'], io);
  return said;
}
