import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'tap';

const source = new URL('../src/', import.meta.url).pathname;

/** Which folders of `src` each folder may import from; `types` may be imported as types only. */
const mayImport: Readonly<
  Record<string, { readonly code: readonly string[]; readonly types?: readonly string[] }>
> = {
  base: { code: [] },
  oci: { code: [] },
  expressions: { code: [] },
  fair: { code: [] },
  upstream: { code: ['oci'] },
  cache: { code: ['base', 'oci'], types: ['upstream'] },
  auth: { code: ['oci', 'expressions', 'fair', 'image-streams'] },
  mirror: { code: ['oci', 'expressions', 'image-streams'], types: ['upstream', 'cache'] },
  proxy: { code: ['oci', 'expressions', 'fair'], types: ['auth', 'cache'] },
  config: { code: ['expressions'] },
  'image-streams': { code: ['oci'] },
};

/** Which files may import each library: one place a library. */
const onlyIn: Readonly<Record<string, RegExp>> = {
  '@aws-sdk/': /^cache\/store\/s3-/,
  '@smithy/': /^cache\/store\/s3-/,
  undici: /^(upstream\/|auth\/kubernetes\/|proxy\/bypass\.ts$)/,
  '@kubernetes/client-node': /^(auth\/kubernetes\/|mirror\/kubernetes\/)/,
  '@fastify/http-proxy': /^proxy\/bypass\.ts$/,
  jose: /^auth\/(token|token-keys|kubernetes\/local-check)\.ts$/,
  bcryptjs: /^auth\//,
  'prom-client': /^metrics(\/kinds)?\.ts$/,
  fastify: /^(proxy\/|server\.ts$)/,
  'lru-cache': /^(cache\/|auth\/|app\.ts$)/,
  re2js: /^expressions\//,
  yaml: /^(config|mirror\/loop\/located-yaml\.ts$)/,
  typebox: /^config/,
  pino: /^log\.ts$/,
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
      if (rule === undefined || target === folderOf(line.file)) return false;
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
