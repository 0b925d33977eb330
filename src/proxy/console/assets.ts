import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSingleFlight, shared } from '../../base/flow/single-flight.ts';
import { scriptEnding } from './shell.ts';

/** A file as it is sent. */
interface Asset {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

/** The page and its files. What is not on the list made at the first request is not there. */
interface Assets {
  page(html: string): Promise<Asset>;
  file(path: string): Promise<Asset | undefined>;
}

const folder = new URL('../../console/', import.meta.url);

/** Files of libraries, as npm installed them. */
const libraries: ReadonlyMap<string, string> = new Map([
  ['lib/preact.js', 'preact'],
  ['lib/preact-hooks.js', 'preact/hooks'],
  ['lib/htm.js', 'htm'],
  ['lib/htm-preact.js', 'htm/preact'],
  ['lib/uplot.js', 'uplot/dist/uPlot.esm.js'],
  ['lib/uplot.css', 'uplot/dist/uPlot.min.css'],
]);

const script = 'text/javascript; charset=utf-8';
const types: Readonly<Record<string, string>> = {
  '.ts': script,
  '.js': script,
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Reads each file once. Types are taken out of TypeScript as it is read: there is no build. */
export function createAssets(): Assets {
  const known = new Map<string, Asset>();
  const once = createSingleFlight<Asset>();
  const listed = shared(async (): Promise<ReadonlyMap<string, URL>> => {
    const names = await readdir(folder, { recursive: true });
    const own = names.filter((name) => isSent(name)).map((name) => [name, new URL(name, folder)] as const);
    const others = [...libraries].map(([path, name]) => [path, new URL(import.meta.resolve(name))] as const);
    return new Map([...own, ...others]);
  });
  let list: ReadonlyMap<string, URL> | undefined;

  async function read(path: string, url: URL): Promise<Asset> {
    const bytes = await readFile(fileURLToPath(url));
    const isTyped = extname(path) === '.ts';
    return assetOf(
      isTyped ? Buffer.from(stripTypeScriptTypes(bytes.toString())) : bytes,
      types[extname(path)] ?? 'application/octet-stream',
    );
  }

  return {
    page: async (html) => assetOf(Buffer.from(html), 'text/html; charset=utf-8'),
    async file(path) {
      list ??= await listed();
      const url = list.get(path);
      if (url === undefined) return undefined;
      const found = known.get(path) ?? (await once(path, () => read(path, url)));
      known.set(path, found);
      return found;
    },
  };
}

/** Scripts of the page's own kind alone: a checkout may have both. */
function isSent(name: string): boolean {
  return extname(name) === scriptEnding || ['.css', '.svg'].includes(extname(name));
}

function assetOf(bytes: Buffer, type: string): Asset {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`;
  return { bytes, type, etag };
}
