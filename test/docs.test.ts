import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'tap';
import { load } from '../src/config/load.ts';
import { table } from '../src/telemetry/metrics/table.ts';
import { fencesOf } from './support/fences.ts';

const root = join(import.meta.dirname, '..');
const text = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

/** Every document of the project, by its path. */
async function documents(): Promise<[path: string, markdown: string][]> {
  const below = await Promise.all(
    ['docs', 'deploy', 'changelog'].map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true })).map((name) => `${folder}/${name}`),
    ),
  );
  const paths = [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'test/README.md',
    ...below.flat(),
  ];
  return Promise.all(
    paths
      .filter((path) => path.endsWith('.md'))
      .map(async (path): Promise<[string, string]> => [path, await text(path)]),
  );
}

/** The cells of each row of a document's tables, without the marks of inline code. */
function rows(markdown: string): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.replaceAll('`', '').trim()));
}

function fenced(markdown: string, language: string): string[] {
  return fencesOf(markdown)
    .filter((fence) => fence.language === language)
    .map(({ text: block }) => block);
}

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

test('every local link of the documents leads to a file, and to a heading where it names one', async (t) => {
  for (const [path, markdown] of await documents()) {
    for (const [, target = ''] of markdown.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const found = file === '' ? path : join(path, '..', file);
      await t.resolves(access(join(root, found)), `${path}: ${target}`);
      if (anchor === undefined) continue;
      const headings = [...(await text(found)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
      t.ok(headings.map(anchorOf).includes(anchor), `${path}: ${target}`);
    }
  }
});

test('every source file and folder that a document names exists', async (t) => {
  const below = async (folder: string): Promise<string[]> =>
    (await readdir(join(root, folder), { recursive: true })).map((name) => `/${folder}/${name}`);
  const known = (await Promise.all(['bench', 'src', 'test'].map(below))).flat();
  for (const [path, markdown] of await documents()) {
    const named = [...markdown.matchAll(/`([\w./-]+\.ts|(?:src|test)\/[\w./-]+)`/g)].map(([, name = '']) =>
      name.replace(/\/$/, ''),
    );
    const unknown = named.filter((name) => !known.some((file) => file.endsWith(`/${name}`)));
    t.same(unknown, [], path);
  }
});

test('every metric that a document names exists', async (t) => {
  const known = Object.values(table).map(([name]): string => name);
  for (const [path, markdown] of await documents()) {
    const named = [...markdown.matchAll(/\bquayside_[a-z0-9_]+/g)].map(([name]) => name);
    t.same(
      named.filter((name) => !known.includes(name)),
      [],
      path,
    );
  }
});

test('every line of the log that its page names is written', async (t) => {
  const files = (await readdir(join(root, 'src'), { recursive: true })).filter((file) =>
    file.endsWith('.ts'),
  );
  const source = (await Promise.all(files.map((file) => text(`src/${file}`)))).join('\n');
  const cells = (await text('docs/reference/log.md')).split('\n').flatMap((line) => line.split('|')[1] ?? []);
  const lines = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+ [^`]+)`/g)].map(([, line = '']) => line));
  t.ok(lines.length > 20);
  t.same(
    lines.filter((line) => !source.includes(line) && !/^\w+; \w+$/.test(line)),
    [],
  );
});

test('the page of the log has each field of the line `request`', async (t) => {
  const [, made = ''] =
    /^function factsOf[\s\S]*?^ {2}return \{\n([\s\S]*?)^ {2}\};/m.exec(
      await text('src/proxy/http/request-log.ts'),
    ) ?? [];
  const [, told = ''] =
    /^export interface FailureFields \{\n([\s\S]*?)^\}/m.exec(await text('src/proxy/http/failure.ts')) ?? [];
  const fields = [...`${made}\n${told}`.matchAll(/^ {2,4}(?:readonly )?(\w+)\??[,:]/gm)].map(
    ([, name = '']) => name,
  );
  t.ok(fields.length > 20);
  const page = await text('docs/reference/log.md');
  for (const name of [...fields, 'cut', 'ownRequestId']) t.match(page, `\`${name}\``, name);
});

test('the table of error codes has each code of the code, with its status', async (t) => {
  const source = await text('src/oci/errors.ts');
  const statuses = new Map(
    [...source.matchAll(/^ {2}([A-Z_]+): (\d{3}),$/gm)].map(([, a = '', b = '']) => [a, b]),
  );
  const told = new Map(
    rows(await text('docs/reference/errors.md'))
      .filter(([code = '']) => statuses.has(code))
      .map(([code = '', status = '']) => [code, status.slice(0, 3)]),
  );
  for (const [code, status] of told) t.equal(status, statuses.get(code), code);
  const pushOnly = /^(BLOB_UPLOAD_|MANIFEST_BLOB_UNKNOWN|MANIFEST_INVALID)/;
  t.same(
    [...statuses.keys()].filter((code) => !told.has(code) && !pushOnly.test(code)),
    [],
  );
});

test('the table of hit classes is that of the code', async (t) => {
  const words = [
    ...(await text('src/proxy/http/exchange.ts')).matchAll(/^ {2}(\w+): '((?:hit|miss); \w+)',$/gm),
  ];
  const told = rows(await text('docs/reference/errors.md')).filter(([word = '']) =>
    /^(hit|miss);/.test(word),
  );
  t.same(
    new Map(told.map(([word = '', hit = '']) => [hit, word])),
    new Map(words.map(([, hit = '', word = '']) => [hit, word])),
  );
});

/** Inline code with dots in it, or with the ending of a setting. */
const settingShape =
  /`([a-z]\w*(?:\.(?:<\w+>|[a-z]\w*))+|[a-z]+\w*(?:Ms|File|Bytes|Percent|Hosts|Addresses))`/g;
/** Of that shape, and no settings: fields of the log, and an example of a good name. */
const noSettings: ReadonlySet<string> = new Set([
  'ageMs',
  'auth.json',
  'firstByteMs',
  'totalMs',
  'intervalMs',
  // Attributes of spans and resources, of the conventions of OpenTelemetry.
  'url.full',
  'service.version',
  'service.instance.id',
]);

test('every setting that a document names stands in the sample file', async (t) => {
  const sample = await text('deploy/quayside.yaml');
  const isSetting = (name: string): boolean => new RegExp(`^[ #]*${name}:`, 'm').test(sample);
  for (const [path, markdown] of await documents()) {
    for (const [, name = ''] of markdown.matchAll(settingShape)) {
      const [first = '', ...others] = name.split('.').filter((part) => !part.startsWith('<'));
      const isOther = others.length > 0 && (!isSetting(first) || /\.(?:ts|md|yaml)$/.test(name));
      if (isOther || noSettings.has(name)) continue;
      for (const part of [first, ...others]) t.ok(isSetting(part), `${path}: ${name}`);
    }
  }
});

test('the settings that documents show are accepted', async (t) => {
  for (const [path, markdown] of await documents()) {
    for (const block of fenced(markdown, 'yaml')) t.doesNotThrow(() => load(block, {}), path);
    for (const block of fenced(markdown, 'json')) t.doesNotThrow(() => JSON.parse(block), path);
  }
});

test('what the README shows for clients is what the samples hold', async (t) => {
  const blocks = fenced(await text('README.md'), 'toml');
  const samples = (await text('deploy/clients/registries.conf')) + (await text('deploy/clients/hosts.toml'));
  t.ok(blocks.length > 0);
  for (const block of blocks) t.ok(samples.includes(block), block);
});

test('every decision is listed, and says its context, its decision and its consequence', async (t) => {
  const index = await text('docs/adr/README.md');
  const decisions = (await documents()).filter(([path]) => /^docs\/adr\/\d/.test(path));
  t.ok(decisions.length > 10);
  for (const [path, markdown] of decisions) {
    t.match(index, path.slice('docs/adr/'.length));
    for (const word of ['Context', 'Decision', 'Consequence']) t.match(markdown, `**${word}.**`, path);
  }
});

test('the newest release that is written down is the version of the package', async (t) => {
  const [, version] = /^## (\S+) - \d{4}-\d\d-\d\d$/m.exec(await text('CHANGELOG.md')) ?? [];
  t.match(JSON.parse(await text('package.json')), { version });
});

test('every change to come says its kind', async (t) => {
  const changes = (await documents()).filter(([path]) => path.startsWith('changelog/unreleased/'));
  for (const [path, markdown] of changes)
    t.match(markdown, /^Kind: (?:Added|Changed|Fixed|Removed|Security)\n\n[A-Z`]/, path);
});
