import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'tap';

const source = new URL('../src/', import.meta.url).pathname;

/** Which folders of `src` each folder may import from beside `base`; `types` may be imported as types only. */
const mayImport: Readonly<
  Record<string, { readonly code: readonly string[]; readonly types?: readonly string[] }>
> = {
  base: { code: [] },
  oci: { code: [] },
  config: { code: ['auth'] },
  kubernetes: { code: [] },
  'image-streams': { code: ['kubernetes', 'oci'] },
  store: { code: ['oci'] },
  lease: { code: ['kubernetes', 'store'] },
  upstream: { code: ['oci'] },
  cache: { code: ['lease', 'oci', 'store'], types: ['upstream'] },
  auth: { code: ['image-streams', 'kubernetes', 'oci'] },
  mirror: { code: ['image-streams', 'oci'], types: ['cache', 'store', 'upstream'] },
  proxy: { code: ['oci'], types: ['auth', 'cache', 'store'] },
  telemetry: { code: [], types: ['auth', 'cache', 'mirror', 'proxy', 'store', 'upstream'] },
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
  fastify: /^(proxy\/|app\/server\.ts$)/,
  'lru-cache': /^(base\/lru\.ts$|cache\/|auth\/)/,
  re2js: /^base\/text\//,
  yaml: /^(config\/|mirror\/ci\/located-yaml\.ts$)/,
  typebox: /^config\//,
  pino: /^telemetry\/log\.ts$/,
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
