import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { test } from 'tap';

const source = new URL('../src/', import.meta.url).pathname;

/**
 * Which folders of `src` each folder may import from beside `base`; `types` may be imported as
 * types only.
 */
const mayImport: Readonly<
  Record<string, { readonly code: readonly string[]; readonly types?: readonly string[] }>
> = {
  base: { code: [] },
  console: { code: [] },
  oci: { code: [] },
  config: { code: ['auth'] },
  kubernetes: { code: [] },
  'image-streams': { code: ['kubernetes', 'oci'] },
  store: { code: ['oci'], types: ['upstream'] },
  conditions: { code: ['kubernetes', 'store'] },
  lease: { code: ['kubernetes', 'store'] },
  upstream: { code: ['oci'] },
  fleet: { code: ['oci', 'upstream'] },
  cache: { code: ['fleet', 'lease', 'oci', 'store'], types: ['auth', 'upstream'] },
  auth: { code: ['image-streams', 'kubernetes', 'oci'] },
  mirror: { code: ['image-streams', 'oci'], types: ['cache', 'store', 'upstream'] },
  migrate: { code: ['image-streams', 'kubernetes', 'mirror', 'oci'] },
  prune: { code: ['kubernetes', 'mirror', 'oci', 'store'] },
  proxy: { code: ['fleet', 'oci'], types: ['auth', 'cache', 'store'] },
  workers: { code: ['fleet'], types: ['proxy'] },
  telemetry: {
    code: ['conditions'],
    types: ['auth', 'cache', 'fleet', 'image-streams', 'mirror', 'proxy', 'store', 'upstream'],
  },
  load: { code: ['oci', 'upstream'] },
  drill: { code: ['conditions', 'load', 'oci'] },
  simulate: { code: ['cache', 'fleet', 'load', 'oci', 'store', 'upstream'] },
  predecessors: { code: ['cli', 'config', 'proxy', 'telemetry'], types: ['auth', 'mirror', 'upstream'] },
};

/** Which files may import each library: one place a library. */
const onlyIn: Readonly<Record<string, RegExp>> = {
  '@aws-sdk/': /^store\/s3\/bucket\//,
  '@smithy/': /^store\/s3\/bucket\//,
  undici: /^(upstream\/http\/|kubernetes\/)/,
  '@kubernetes/client-node': /^kubernetes\/(kubeconfig|login)\.ts$/,
  '@fastify/http-proxy': /^proxy\/pull\/bypass\.ts$/,
  jose: /^auth\/(tokens\/|clusters\/api-server\/local-check\.ts$)/,
  bcryptjs: /^auth\/robots\//,
  'prom-client': /^telemetry\/metric/,
  koffi: /^store\/sending\/kernel-send\.ts$/,
  fastify: /^(proxy\/|app\/server\.ts$)/,
  'lru-cache': /^(app\/registries\.ts$|base\/state\/lru\.ts$|cache\/|auth\/)/,
  re2js: /^base\/text\//,
  'smol-toml': /^cli\/clients\/toml\.ts$/,
  yaml: /^(config\/|mirror\/ci\/located-yaml\.ts$|cli\/(clients\/generate\/cluster-objects|migrate\/object-text)\.ts$)/,
  typebox: /^config\//,
  preact: /^console\//,
  htm: /^console\/parts\/html\.ts$/,
  uplot: /^console\/parts\/chart\.ts$/,
  'hdr-histogram-js': /^load\/histogram\.ts$/,
  '@opentelemetry/': /^telemetry\/tracing\//,
  'pino-pretty': /^telemetry\/pretty-lines\.ts$/,
  pino: /^telemetry\/log\.ts$/,
  commander: /^cli\/(flags\/flag-table|help\/help)\.ts$/,
  'log-update': /^cli\/flags\/progress\.ts$/,
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly isType: boolean;
}

async function imports(): Promise<Import[]> {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const found = await Promise.all(
    files.map(async (file) => importsOf(file, await readFile(join(source, file), 'utf8'))),
  );
  return found.flat();
}

function importsOf(file: string, text: string): Import[] {
  const lines = text.matchAll(
    /^(?:import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm,
  );
  return [...lines].map(([, type, from, bare, lazy]) => ({
    file,
    target: from ?? bare ?? lazy ?? '',
    isType: type !== undefined,
  }));
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : path;
}

function targetOf({ file, target }: Import): string {
  return relative(source, join(source, file, '..', target));
}

test('each folder imports only from those below it', async (t) => {
  const wrong = (await imports())
    .filter(({ target }) => target.startsWith('.'))
    .filter((line) => {
      const rule = mayImport[folderOf(line.file)];
      const target = folderOf(targetOf(line));
      if (rule === undefined || target === 'base' || target === folderOf(line.file)) return false;
      return !(rule.code.includes(target) || (line.isType && rule.types?.includes(target) === true));
    })
    .map((line) => `${line.file} imports ${targetOf(line)}`);
  t.same(wrong, []);
});

test('each library is imported in one place', async (t) => {
  const wrong = (await imports())
    .filter(({ target }) => !target.startsWith('.') && !target.startsWith('node:'))
    .filter(({ file, target, isType }) => {
      const rule = Object.entries(onlyIn).find(([name]) => target === name || target.startsWith(name));
      return rule === undefined || !(rule[1].test(file) || (isType && target === 'fastify'));
    })
    .map(({ file, target }) => `${file} imports ${target}`);
  t.same(wrong, []);
});

test('only main.ts touches the process, and no file is longer than 300 lines', async (t) => {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const texts = await Promise.all(
    files.map(async (file) => [file, await readFile(join(source, file), 'utf8')] as const),
  );
  const isFree = (text: string): boolean =>
    !/\bprocess\.(env|argv|exit|exitCode|on|once|stdout|stderr)\b/.test(text);
  t.same(
    texts.filter(([file, text]) => file !== 'main.ts' && !isFree(text)).map(([file]) => file),
    [],
  );
  t.same(
    texts.filter(([, text]) => text.split('\n').length > 301).map(([file]) => file),
    [],
  );
});

/** A room is a folder. One that holds rooms has no more on top than what they share. */
const fewestFiles = 4;
const mostFiles = 12;
const oddRooms: Readonly<Record<string, string>> = {};

/** The files of each room, and the rooms that each imports. */
async function rooms(): Promise<ReadonlyMap<string, Room>> {
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const found = new Map<string, Room>();
  for (const file of files.sort()) {
    const room = found.get(dirname(file)) ?? { files: [], code: new Set(), types: new Set() };
    room.files.push(file);
    found.set(dirname(file), room);
  }
  for (const line of await imports()) {
    const target = dirname(targetOf(line));
    const room = found.get(dirname(line.file));
    if (!line.target.startsWith('.') || target === dirname(line.file)) continue;
    (line.isType ? room?.types : room?.code)?.add(target);
  }
  return found;
}

interface Room {
  readonly files: string[];
  readonly code: Set<string>;
  readonly types: Set<string>;
}

test('a room has four to twelve files, and src has main.ts alone', async (t) => {
  const all = [...(await rooms())];
  t.same(all.find(([name]) => name === '.')?.[1].files, ['main.ts']);
  const odd = all.filter(([name, { files }]) => {
    const holdsRooms = name === '.' || all.some(([other]) => other.startsWith(`${name}/`));
    return files.length > mostFiles || (!holdsRooms && files.length < fewestFiles);
  });
  t.same(
    odd.map(([name]) => name),
    Object.keys(oddRooms),
  );
});

test('no room imports one that imports it, types counted', async (t) => {
  const left = new Map<string, Set<string>>();
  for (const [name, { code, types }] of await rooms()) left.set(name, new Set([...code, ...types]));
  for (let isSmaller = true; isSmaller; ) {
    const free = [...left].filter(([, targets]) => [...targets].every((target) => !left.has(target)));
    for (const [name] of free) left.delete(name);
    isSmaller = free.length > 0;
  }
  t.same([...left.keys()], []);
});

test('few files name the predecessors, so that their folder can be deleted', async (t) => {
  const users = (await imports()).filter(
    (line) => folderOf(line.file) !== 'predecessors' && folderOf(targetOf(line)) === 'predecessors',
  );
  t.same(
    new Set(users.map(({ file }) => file)),
    new Set(['app/app.ts', 'app/mirror/service.ts', 'app/server.ts', 'cli/commands/commands.ts']),
  );
});

/** Rooms that hold only what the rooms in them share need no text, and one is left as it is. */
const untold = new Set(['.', 'cache', 'mirror', 'proxy', 'upstream', 'upstream/download']);
const ground = /^(?:base(?:\/|$))/;

test('the main file of a room begins with what enters, what leaves and what it may import', async (t) => {
  for (const [name, { files, code, types }] of await rooms()) {
    if (untold.has(name)) continue;
    const texts = await Promise.all(files.map((file) => readFile(join(source, file), 'utf8')));
    const heads = texts.filter((text) => text.startsWith('// Room ')).map(headOf);
    t.equal(heads.length, 1, `${name} has one main file`);
    const [, room, listed = ''] =
      /^Room `([^`]+)`: .+\. In: .+\. Out: .+\. Imports: (.+)\.$/.exec(heads[0] ?? '') ?? [];
    t.equal(room, name);
    if (listed === 'every room below') continue;
    const [forCode = '', forTypes = ''] = listed.split('; types of ');
    const missing = (used: Set<string>, told: string) =>
      [...used].filter((target) => !ground.test(target) && !told.split(', ').includes(target));
    t.same(missing(code, forCode), [], `${name} imports`);
    t.same(missing(types, `${forCode}, ${forTypes}`), [], `${name} imports types of`);
  }
});

function headOf(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('// '));
  return lines
    .slice(0, end)
    .map((line) => line.slice(3))
    .join(' ');
}

test('the page on architecture names each room, and what it may import', async (t) => {
  const page = await readFile(join(source, '../docs/ARCHITECTURE.md'), 'utf8');
  for (const [name, { code, types = [] }] of Object.entries(mayImport)) {
    const cells =
      page
        .split('\n')
        .find((line) => line.startsWith(`| \`${name}/\` |`))
        ?.split('|') ?? [];
    const [forCode = '', forTypes = ''] = (cells.at(-2) ?? '').split('types of');
    const named = (text: string) => new Set([...text.matchAll(/`([\w-]+)`/g)].map(([, room]) => room));
    t.same(named(forCode), new Set(code.length === 0 && /`base`/.test(forCode) ? ['base'] : code), name);
    t.same(named(forTypes), new Set(types), `types for ${name}`);
  }
});
